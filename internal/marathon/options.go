// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// DefaultNetwork is the overlay network of DC/OS.
const DefaultNetwork = "dcos"

// NoNetwork as Options.DefaultNetwork means that there is none: a network of
// mode container needs a name then.
const NoNetwork = "/"

// Options are the settings of Marathon that a definition is read with. The zero
// value is a DC/OS cluster as it was installed.
type Options struct {
	// Base is the id of the group that relative ids continue. "" is the root.
	Base string
	// RootNamespace is the namespace of apps that are in no group. "" is
	// "default".
	RootNamespace string
	// DefaultNetwork is the name of a network of mode container that has none.
	// "" is DefaultNetwork.
	DefaultNetwork string
	// DefaultRole is the role of an app that names none. "" is slave_public.
	DefaultRole string
}

func (o Options) filled() Options {
	if o.DefaultNetwork == "" {
		o.DefaultNetwork = DefaultNetwork
	}
	if o.DefaultRole == "" {
		o.DefaultRole = v1alpha1.RolePublic
	}
	return o
}

func (o Options) mapping() pathid.Mapping { return pathid.Mapping{RootNamespace: o.RootNamespace} }

// roles returns the roles an app may have: the default one, and the name of its
// top-level group.
func (o Options) roles(id string) []string {
	roles := []string{o.DefaultRole}
	if segments := pathid.Segments(id); len(segments) > 1 && segments[0] != o.DefaultRole {
		roles = append(roles, segments[0])
	}
	return roles
}
