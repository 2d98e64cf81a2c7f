// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// Health sums a cluster up.
type Health string

// The states of health.
const (
	Healthy  Health = "healthy"
	Degraded Health = "degraded"
	// None means that there is no cluster.
	None Health = "none"
)

// The states of nodes and components.
const (
	Running = "running"
	Stopped = "stopped"
	// Cut is a node that runs without a network.
	Cut = "cut"
)

// Status is what a cluster looks like now.
type Status struct {
	Provider   string            `json:"provider,omitempty"`
	Health     Health            `json:"health"`
	State      string            `json:"state"`
	Identity   string            `json:"identity"`
	APIServer  string            `json:"apiServer,omitempty"`
	APIReady   bool              `json:"apiReady"`
	Kubeconfig string            `json:"kubeconfig,omitempty"`
	Components []ComponentStatus `json:"components"`
	Nodes      []NodeStatus      `json:"nodes"`
}

// ComponentStatus is one program of the cluster.
type ComponentStatus struct {
	Name string `json:"name"`
	// Node is where it runs; empty for the control plane.
	Node  string `json:"node,omitempty"`
	PID   int    `json:"pid"`
	State string `json:"state"`
}

// NodeStatus is one node.
type NodeStatus struct {
	Name string `json:"name"`
	// Role is the pool.
	Role  string `json:"role"`
	Zone  string `json:"zone"`
	IP    string `json:"ip"`
	State string `json:"state"`
	// Ready is what the API server thinks.
	Ready bool `json:"ready"`
	// PID is the first process of the node, through which its namespaces are entered.
	PID int `json:"pid,omitempty"`
}

// Judge fills Health in from the rest.
func (s *Status) Judge() {
	s.Health = Healthy
	if !s.APIReady {
		s.Health = Degraded
	}
	for _, component := range s.Components {
		if component.State != Running {
			s.Health = Degraded
		}
	}
	for _, node := range s.Nodes {
		if node.State != Running || !node.Ready {
			s.Health = Degraded
		}
	}
}

// WriteJSON writes the status for programs.
func (s *Status) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

// WriteTable writes the status for people.
func (s *Status) WriteTable(w io.Writer) error {
	if s.Health == None {
		_, err := fmt.Fprintf(w, "no cluster in %s\n", s.State)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "health\t%s\n", s.Health)
	fmt.Fprintf(t, "provider\t%s\n", s.Provider)
	fmt.Fprintf(t, "API server\t%s (%s)\n", s.APIServer, word(s.APIReady, "ready", "not ready"))
	fmt.Fprintf(t, "kubeconfig\t%s\n", s.Kubeconfig)
	fmt.Fprintln(t)
	fmt.Fprintln(t, "COMPONENT\tNODE\tPID\tSTATE")
	for _, c := range s.Components {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.Name, orDash(c.Node), number(c.PID), c.State)
	}
	fmt.Fprintln(t)
	if err := t.Flush(); err != nil {
		return err
	}
	return s.WriteNodes(w)
}

// WriteNodes writes the table of nodes.
func (s *Status) WriteNodes(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "NODE\tROLE\tZONE\tIP\tSTATE\tREADY")
	for _, n := range s.Nodes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, n.Role, n.Zone, orDash(n.IP), n.State, word(n.Ready, "yes", "no"))
	}
	return t.Flush()
}

func word(yes bool, ifYes, ifNo string) string {
	if yes {
		return ifYes
	}
	return ifNo
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func number(pid int) string {
	if pid == 0 {
		return "-"
	}
	return strconv.Itoa(pid)
}
