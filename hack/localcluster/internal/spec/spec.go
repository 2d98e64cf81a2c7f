// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package spec is the contract between localcluster and cmd/machine, the small init process of a machine: what a
// machine is made of and which services it runs. It is kept free of other packages, because cmd/machine is compiled on
// its own from embedded source.
package spec

// Machine describes one machine: with namespaces of its own it is a node or the control plane of a real cluster,
// without it is only a group of services that live and die together.
type Machine struct {
	// Hostname is set in the machine's UTS namespace.
	Hostname string `json:"hostname,omitempty"`
	// Isolated says that the machine was started in namespaces of its own, so that mounts, host name and system
	// controls may be changed.
	Isolated bool `json:"isolated"`
	// CgroupProcs are the cgroup.procs files the init process joins before it does anything else.
	CgroupProcs []string `json:"cgroupProcs,omitempty"`
	// Mounts are made in order.
	Mounts []Mount `json:"mounts,omitempty"`
	// Sysctls are written below /proc/sys. Only namespaced ones belong here.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// Interface, if set, must be up and carry an IPv4 address before services start.
	Interface string `json:"interface,omitempty"`
	// Services are started together and restarted when they exit.
	Services []Service `json:"services"`
}

// Mount is one mount of a machine. The target is made if it does not exist.
type Mount struct {
	// Type is "bind", or a file system such as "tmpfs".
	Type string `json:"type"`
	// Source is the file or directory of a bind mount. All sources are opened before the first mount is made, so that
	// one mount may hide the source of a later one.
	Source string `json:"source,omitempty"`
	Target string `json:"target"`
	Data   string `json:"data,omitempty"`
}

// Service is one long-running program of a machine.
type Service struct {
	Name string `json:"name"`
	// Args starts with the path of the program.
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	// Log is the file that standard output and error are appended to, as seen from outside the machine.
	Log string `json:"log"`
	// User is the user to run as, instead of the one who starts the machine. It may still touch all files: the point is
	// not to be contained, but to be counted apart where the kernel limits what one user may have.
	User uint32 `json:"user,omitempty"`
	// WaitFor is what has to be there before the service starts: a TCP address that accepts connections, or an HTTPS
	// URL that answers with success, whoever signed its certificate.
	WaitFor string `json:"waitFor,omitempty"`
}
