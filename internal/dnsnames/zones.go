// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import "strings"

// Zones tells which names are ours, and which are other names of the same.
type Zones struct {
	// ClusterID is the name of the cluster in dcos.directory, "" if it has none.
	ClusterID string

	apexes  []string
	aliases []alias
	fixed   map[string]bool
}

// alias renames whatever ends in from to what ends in to.
type alias struct {
	from, to string
	// copied says that it is dcos-net's copy of Mesos-DNS' zone, whose
	// services had another priority.
	copied bool
}

// NewZones are those of the cluster with the id, which may be "".
func NewZones(clusterID string) *Zones {
	z := &Zones{
		ClusterID: strings.ToLower(clusterID),
		apexes:    []string{"mesos", "thisdcos.directory", "thisdcos.global", "zk", "spartan", "localhost"},
		fixed:     map[string]bool{},
	}
	z.add("mesos.thisdcos.directory", "mesos")
	z.add("dclb.thisdcos.directory", "l4lb.thisdcos.directory")
	z.add("dclb.thisdcos.global", "l4lb.thisdcos.directory")
	parents := []string{"thisdcos.global"}
	if clusterID != "" {
		own := z.ClusterID + ".dcos.directory"
		parents = append(parents, own)
		z.apexes = append(z.apexes, own)
	}
	for _, parent := range parents {
		z.add("mesos."+parent, "mesos")
		for _, zone := range []string{"dcos", "l4lb", "custom"} {
			z.add(zone+"."+parent, zone+".thisdcos.directory")
		}
	}
	for _, zone := range []string{"dcos", "l4lb", "custom"} {
		z.fixed[zone+".thisdcos.directory"] = true
	}
	for _, apex := range z.apexes {
		z.fixed[apex] = true
	}
	return z
}

func (z *Zones) add(from, to string) {
	z.aliases = append(z.aliases, alias{from: from, to: to, copied: to == "mesos"})
	z.fixed[from] = true
}

// Apexes are the names of the zones.
func (z *Zones) Apexes() []string { return z.apexes }

// Place is where a name is.
type Place struct {
	// Apex of its zone.
	Apex string
	// Name that its records are under.
	Name string
	// Fixed says that the name is there, with records or without.
	Fixed bool
	// Copied says that it is in dcos-net's copy of the zone mesos.
	Copied bool

	from, to string
}

// Find tells where a name in lower case, without the last dot, is. It is false
// where the name is not ours.
func (z *Zones) Find(name string) (Place, bool) {
	for _, apex := range z.apexes {
		if !within(name, apex) {
			continue
		}
		p := Place{Apex: apex, Name: name}
		if apex != "mesos" && apex != "zk" && apex != "spartan" && apex != "localhost" {
			p.rename(z.aliases)
		}
		p.Fixed = z.fixed[name]
		return p, true
	}
	return Place{}, false
}

func (p *Place) rename(aliases []alias) {
	for _, a := range aliases {
		if within(p.Name, a.from) {
			p.Name = p.Name[:len(p.Name)-len(a.from)] + a.to
			p.from, p.to, p.Copied = a.from, a.to, a.copied
			return
		}
	}
}

// Renamed says whether names of answers are renamed.
func (p *Place) Renamed() bool { return p.from != "" }

// Rename turns a name that is the value of a record into the way it was asked
// for.
func (p *Place) Rename(name string) string {
	if p.from == "" || !within(name, p.to) {
		return name
	}
	return name[:len(name)-len(p.to)] + p.from
}

// within says whether a name is the zone or in it.
func within(name, zone string) bool {
	return strings.HasSuffix(name, zone) && (len(name) == len(zone) || name[len(name)-len(zone)-1] == '.')
}
