// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"cmp"
	"slices"
)

// Repository is what one repository offers.
type Repository struct {
	// URI is where it comes from: installed packages remember it.
	URI      string
	Packages []*Package
}

// Entry is a package and where it is from.
type Entry struct {
	Package *Package
	// URI is that of the repository.
	URI string
}

// Collection is what several repositories offer together.
type Collection struct {
	names []string
	// byName has all versions of a package, the one to choose first.
	byName map[string][]Entry
}

// candidate is an entry with what decides about it.
type candidate struct {
	Entry
	repository, position int
}

// better orders candidates of a name: by repository first, then by release. In
// a repository that has the same release twice, the later one counts.
func better(a, b candidate) int {
	return cmp.Or(
		cmp.Compare(a.repository, b.repository),
		cmp.Compare(b.Package.ReleaseVersion, a.Package.ReleaseVersion),
		cmp.Compare(b.position, a.position),
	)
}

// NewCollection puts repositories together. Their order is their priority: of
// packages with the same name and version the first repository's counts, of the
// same repository the one with the highest release. What does not run on the
// release of DC/OS in question is to be left out before, as repositories did.
func NewCollection(repositories ...Repository) *Collection {
	candidates := map[string][]candidate{}
	for i, repository := range repositories {
		for j, p := range repository.Packages {
			candidates[p.Name] = append(candidates[p.Name], candidate{Entry{p, repository.URI}, i, j})
		}
	}
	c := &Collection{byName: make(map[string][]Entry, len(candidates))}
	for name, all := range candidates {
		slices.SortFunc(all, better)
		seen := map[string]bool{}
		for _, one := range all {
			if !seen[one.Package.Version] {
				seen[one.Package.Version] = true
				c.byName[name] = append(c.byName[name], one.Entry)
			}
		}
		c.names = append(c.names, name)
	}
	slices.Sort(c.names)
	return c
}

// Names returns the names of all packages, sorted.
func (c *Collection) Names() []string { return c.names }

// Versions returns all versions of a package, the one to choose first: the
// highest release of the first repository that has the package, even if a later
// repository has a higher one.
func (c *Collection) Versions(name string) []Entry { return c.byName[name] }

// Find returns a version of a package, without a version the one to choose. The
// error is an *Error.
func (c *Collection) Find(name, version string) (Entry, error) {
	all := c.byName[name]
	if len(all) == 0 {
		return Entry{}, &Error{
			Reason: PackageNotFound, Package: shorten(name),
			Problems: []Problem{{Message: "is in no repository"}},
		}
	}
	if version == "" {
		return all[0], nil
	}
	var have []string
	for _, entry := range all {
		if entry.Package.Version == version {
			return entry, nil
		}
		have = append(have, entry.Package.Version)
	}
	return Entry{}, &Error{
		Reason: VersionNotFound, Package: shorten(name), Version: shorten(version),
		Problems: []Problem{{Message: "is in no repository; there is " + enumerate(have)}},
	}
}

// UpgradesTo returns the versions that an installed version may become, best
// first. Which they are is for them to say, so it need not be in a repository
// itself. With * a version is among its own.
func (c *Collection) UpgradesTo(name, version string) []string {
	var out []string
	for _, entry := range c.byName[name] {
		if entry.Package.CanUpgradeFrom(version) {
			out = append(out, entry.Package.Version)
		}
	}
	return out
}

// DowngradesTo returns the versions that an installed package may go back to,
// best first. Which they are is for the installed package to say.
func (c *Collection) DowngradesTo(installed *Package) []string {
	var out []string
	for _, entry := range c.byName[installed.Name] {
		if installed.CanDowngradeTo(entry.Package.Version) {
			out = append(out, entry.Package.Version)
		}
	}
	return out
}

// MayBecome says whether an installed package may become another version: if
// the other upgrades from it, or it downgrades to the other.
func (p *Package) MayBecome(other *Package) bool {
	return p.Name == other.Name && (other.CanUpgradeFrom(p.Version) || p.CanDowngradeTo(other.Version))
}
