// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/internal/universe"
)

func pkg(name, version string, release int64) *universe.Package {
	return &universe.Package{PackagingVersion: universe.V4, Name: name, Version: version, ReleaseVersion: release}
}

func versions(entries []universe.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.URI+":"+e.Package.Version)
	}
	return out
}

func TestCollection(t *testing.T) {
	c := universe.NewCollection(
		universe.Repository{URI: "first", Packages: []*universe.Package{
			// By release, not by version: 3.0.1 is older than 2.5.1.
			pkg("chronos", "3.0.1", 3), pkg("chronos", "2.5.1", 12), pkg("chronos", "2.4.0", 1),
			// The same version twice: the higher release counts.
			pkg("again", "1.0", 5), pkg("again", "1.0", 7), pkg("again", "0.9", 6),
			// The same release twice: the later one counts.
			pkg("twice", "1.0", 0), pkg("twice", "1.0", 0),
		}},
		universe.Repository{URI: "second", Packages: []*universe.Package{
			// Newer, but in a later repository, and one version more.
			pkg("chronos", "9.0", 900), pkg("chronos", "2.5.1", 901), pkg("other", "1.0", 0),
		}},
	)
	if d := cmp.Diff([]string{"again", "chronos", "other", "twice"}, c.Names()); d != "" {
		t.Error(d)
	}
	for name, want := range map[string][]string{
		"chronos": {"first:2.5.1", "first:3.0.1", "first:2.4.0", "second:9.0"},
		"again":   {"first:1.0", "first:0.9"},
		"twice":   {"first:1.0"},
		"other":   {"second:1.0"},
		"none":    nil,
	} {
		if d := cmp.Diff(want, versions(c.Versions(name))); d != "" {
			t.Error(name, d)
		}
	}
	for _, find := range []struct {
		name, version, uri, want string
		reason                   universe.Reason
	}{
		{"chronos", "", "first", "2.5.1", ""},
		{"chronos", "9.0", "second", "9.0", ""},
		{"chronos", "2.5.1", "first", "2.5.1", ""},
		{"chronos", "2.5", "", "package chronos 2.5: is in no repository; there is 2.5.1, 3.0.1, 2.4.0 or 9.0", universe.VersionNotFound},
		{"none", "1.0", "", "package none: is in no repository", universe.PackageNotFound},
	} {
		entry, err := c.Find(find.name, find.version)
		var refusal *universe.Error
		switch {
		case find.reason != "" && (!errors.As(err, &refusal) || refusal.Reason != find.reason || refusal.Error() != find.want):
			t.Errorf("%s %s: got %v, want %s", find.name, find.version, err, find.want)
		case find.reason == "" && (err != nil || entry.Package.Version != find.want || entry.URI != find.uri):
			t.Errorf("%s %s: got %v, %v", find.name, find.version, entry, err)
		}
	}
}

func TestUpgrades(t *testing.T) {
	a, b, d := pkg("a", "1", 1), pkg("a", "2", 2), pkg("a", "3", 3)
	b.UpgradesFrom, b.DowngradesTo = []string{"1", "gone"}, []string{"1"}
	d.UpgradesFrom, d.DowngradesTo = []string{"*"}, []string{"gone"}
	c := universe.NewCollection(universe.Repository{Packages: []*universe.Package{a, b, d, pkg("b", "1", 1)}})
	for version, want := range map[string][]string{"1": {"3", "2"}, "2": {"3"}, "gone": {"3", "2"}, "3": {"3"}} {
		if d := cmp.Diff(want, c.UpgradesTo("a", version)); d != "" {
			t.Error(version, d)
		}
	}
	for p, want := range map[*universe.Package][]string{a: nil, b: {"1"}, d: nil} {
		if d := cmp.Diff(want, c.DowngradesTo(p)); d != "" {
			t.Error(p.Version, d)
		}
	}
	for _, m := range []struct {
		from, to *universe.Package
		want     bool
	}{{a, b, true}, {b, a, true}, {a, d, true}, {d, a, false}, {a, a, false}, {a, pkg("b", "1", 1), false}} {
		if got := m.from.MayBecome(m.to); got != m.want {
			t.Errorf("%s → %s: %v", m.from.Version, m.to.Version, got)
		}
	}
}

// TestRecordedSelection chooses among all recorded packages as the rules say,
// put differently: nothing of the same name is better than what is chosen.
func TestRecordedSelection(t *testing.T) {
	packages := recordedPackages(t)
	release, _ := universe.ParseDCOSRelease("2.1")
	var visible []*universe.Package
	hidden := map[string]bool{}
	for _, p := range packages {
		if p.Runs(release) {
			visible = append(visible, p)
		} else {
			hidden[p.MinDCOSReleaseVersion.String()] = true
		}
	}
	if d := cmp.Diff(map[string]bool{"999": true, "9999": true}, hidden); d != "" {
		t.Error(d)
	}
	// All but every third are in the first repository, all in the second.
	var some []*universe.Package
	for i, p := range visible {
		if i%3 > 0 {
			some = append(some, p)
		}
	}
	c := universe.NewCollection(universe.Repository{URI: "some", Packages: some}, universe.Repository{URI: "all", Packages: visible})
	best, bestOf, home := map[string]*universe.Package{}, map[string]*universe.Package{}, map[string]string{}
	for _, r := range []universe.Repository{{URI: "some", Packages: some}, {URI: "all", Packages: visible}} {
		for _, p := range r.Packages {
			for key, chosen := range map[string]map[string]*universe.Package{p.Name: best, p.Name + " " + p.Version: bestOf} {
				if home[key] == "" || home[key] == r.URI && p.ReleaseVersion > chosen[key].ReleaseVersion {
					chosen[key], home[key] = p, r.URI
				}
			}
		}
	}
	if len(c.Names()) != len(best) {
		t.Errorf("%d names, want %d", len(c.Names()), len(best))
	}
	total := 0
	for _, name := range c.Names() {
		if got, err := c.Find(name, ""); err != nil || got.Package != best[name] || got.URI != home[name] {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		total += len(c.Versions(name))
		for _, entry := range c.Versions(name) {
			key := name + " " + entry.Package.Version
			if got, err := c.Find(name, entry.Package.Version); err != nil || got.Package != bestOf[key] || got.URI != home[key] {
				t.Errorf("%s: %v, %v", key, got, err)
			}
		}
	}
	if total != len(bestOf) {
		t.Errorf("%d versions, want %d", total, len(bestOf))
	}
	t.Logf("%d packages of %d are visible; %d names, %d versions", len(visible), len(packages), len(best), total)
}
