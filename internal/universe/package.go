// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// The packaging versions.
const (
	V2 = "2.0"
	V3 = "3.0"
	V4 = "4.0"
	V5 = "5.0"
)

// Bounds of a package. The largest recorded has 192 KB, its config 120 KB.
const (
	maxPackage = 4 << 20
	maxConfig  = 1 << 20
	maxName    = 253
)

// Package is one version of a package, as a repository has it. Encoded as JSON
// it is the package of an index again, without what Cosmos did not know.
type Package struct {
	PackagingVersion string `json:"packagingVersion"`
	Name             string `json:"name"`
	Version          string `json:"version"`
	// ReleaseVersion alone orders the versions of a package.
	ReleaseVersion        int64        `json:"releaseVersion"`
	Maintainer            string       `json:"maintainer"`
	Description           string       `json:"description"`
	Tags                  []string     `json:"tags"`
	Selected              *bool        `json:"selected,omitempty"`
	SCM                   string       `json:"scm,omitempty"`
	Website               string       `json:"website,omitempty"`
	Framework             *bool        `json:"framework,omitempty"`
	PreInstallNotes       string       `json:"preInstallNotes,omitempty"`
	PostInstallNotes      string       `json:"postInstallNotes,omitempty"`
	PostUninstallNotes    string       `json:"postUninstallNotes,omitempty"`
	Licenses              []License    `json:"licenses,omitempty"`
	MinDCOSReleaseVersion *DCOSRelease `json:"minDcosReleaseVersion,omitempty"`
	// Marathon has the template of the app; a package may be without.
	Marathon *Marathon `json:"marathon,omitempty"`
	Resource *Resource `json:"resource,omitempty"`
	// Config is the schema of the options, in the order of its author: forms are
	// made from it.
	Config         json.RawMessage `json:"config,omitempty"`
	Command        *Command        `json:"command,omitempty"`
	LastUpdated    *int64          `json:"lastUpdated,omitempty"`
	HasKnownIssues *bool           `json:"hasKnownIssues,omitempty"`
	// UpgradesFrom and DowngradesTo are versions, or * for all.
	UpgradesFrom []string `json:"upgradesFrom,omitempty"`
	DowngradesTo []string `json:"downgradesTo,omitempty"`
	Manager      *Manager `json:"manager,omitempty"`
}

// License is what one may do with a package.
type License struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Marathon is the template of a Marathon app.
type Marathon struct {
	Template []byte `json:"v2AppMustacheTemplate"`
}

// Command is what pip installed for the command line, in packages before 4.0.
type Command struct {
	Pip []string `json:"pip"`
}

// Manager is the package that installs this one in Cosmos' stead.
type Manager struct {
	PackageName       string `json:"packageName"`
	MinPackageVersion string `json:"minPackageVersion,omitempty"`
}

// Resource is resource.json: what a package fetches. Templates see what is not
// there as null, since Cosmos rendered from the same form.
type Resource struct {
	Assets *Assets `json:"assets"`
	Images *Images `json:"images"`
	CLI    *CLI    `json:"cli"`
}

// Assets are what tasks fetch, by name.
type Assets struct {
	URIs      map[string]string `json:"uris"`
	Container *Container        `json:"container"`
}

// Container has the images of containers, by name.
type Container struct {
	Docker map[string]string `json:"docker"`
}

// Images are the pictures for a user interface.
type Images struct {
	IconSmall   *string  `json:"icon-small"`
	IconMedium  *string  `json:"icon-medium"`
	IconLarge   *string  `json:"icon-large"`
	Screenshots []string `json:"screenshots"`
}

// CLI is the package's plugin for the command line.
type CLI struct {
	Binaries *Platforms `json:"binaries"`
}

// Platforms are the systems a plugin exists for.
type Platforms struct {
	Windows *Architectures `json:"windows"`
	Linux   *Architectures `json:"linux"`
	Darwin  *Architectures `json:"darwin"`
}

// Architectures has the one architecture there is.
type Architectures struct {
	X8664 Binary `json:"x86-64"`
}

// Binary is a plugin, as an executable or in a zip archive.
type Binary struct {
	Kind        string     `json:"kind"`
	URL         string     `json:"url"`
	ContentHash []HashInfo `json:"contentHash"`
}

// HashInfo is the hash of a file.
type HashInfo struct {
	Algo  string `json:"algo"`
	Value string `json:"value"`
}

// CanUpgradeFrom says whether an installed version may become this one.
func (p *Package) CanUpgradeFrom(version string) bool { return matches(p.UpgradesFrom, version) }

// CanDowngradeTo says whether this version may become an older one.
func (p *Package) CanDowngradeTo(version string) bool { return matches(p.DowngradesTo, version) }

// matches says whether a version is among those of a list. Versions are never
// compared but for equality: most are no semantic versions.
func matches(list []string, version string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, version)
}

// Runs says whether the package is meant for a release of DC/OS. Repositories
// leave out what is not; 999 and 9999 mark what is retired.
func (p *Package) Runs(release DCOSRelease) bool {
	return p.MinDCOSReleaseVersion == nil || p.MinDCOSReleaseVersion.Compare(release) <= 0
}

var (
	nameFormat    = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$`)
	versionFormat = regexp.MustCompile(`^[-a-zA-Z0-9.]+$`)
)

// check returns what is wrong with a package whose fields are read.
func (p *Package) check() []Problem {
	var out []Problem
	add := func(path, message string) { out = append(out, Problem{Path: path, Message: message}) }
	if p.PackagingVersion != V2 {
		if !nameFormat.MatchString(p.Name) {
			add("name", "must match "+nameFormat.String())
		}
		if !versionFormat.MatchString(p.Version) {
			add("version", "must match "+versionFormat.String())
		}
	} else {
		// The first format had no rule, but names end up in paths and messages.
		for path, value := range map[string]string{"name": p.Name, "version": p.Version} {
			if value == "" || strings.ContainsFunc(value, notPrintable) {
				add(path, "must not be empty or have spaces or control characters")
			}
		}
	}
	for path, value := range map[string]string{"name": p.Name, "version": p.Version} {
		if len(value) > maxName {
			add(path, "must not be longer than 253 characters")
		}
	}
	if p.ReleaseVersion < 0 {
		add("releaseVersion", "must be 0 or more")
	}
	for _, tag := range p.Tags {
		if tag == "" || strings.ContainsFunc(tag, notPrintable) {
			add("tags", "must not be empty or have spaces or control characters")
		}
	}
	return out
}

func notPrintable(r rune) bool { return r <= ' ' || r == 0x7f }
