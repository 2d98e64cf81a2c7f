// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func names(nodes []Node) string {
	var all []string
	for _, node := range nodes {
		all = append(all, node.Name)
	}
	return strings.Join(all, " ")
}

func TestGrow(t *testing.T) {
	small, err := Grow(nil, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name            string
		have            []Node
		private, public int
		want            string
		wantErr         bool
	}{
		{name: "the usual cluster", private: 2, public: 1, want: "private-1 private-2 public-1"},
		{name: "no public node", private: 1, want: "private-1"},
		{name: "nothing changes", have: small, private: 2, public: 1, want: "private-1 private-2 public-1"},
		{name: "one more", have: small, private: 3, public: 1, want: "private-1 private-2 public-1 private-3"},
		{name: "one less", have: small, private: 1, public: 1, wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Grow(tt.have, tt.private, tt.public)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error %v, want error %v", err, tt.wantErr)
			}
			if names(got) != tt.want {
				t.Errorf("got %q, want %q", names(got), tt.want)
			}
			for i, node := range got {
				if node.Number != i+1 {
					t.Errorf("%s has number %d: numbers never change and never repeat", node.Name, node.Number)
				}
			}
		})
	}
}

func TestNodesDifferByPool(t *testing.T) {
	nodes, err := Grow(nil, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		public := node.Pool == Public
		if tainted := node.Taint() != nil; tainted != public {
			t.Errorf("%s: tainted %v", node.Name, tainted)
		}
		if _, labelled := node.Labels()[RoleLabel]; labelled != public {
			t.Errorf("%s: labels %v", node.Name, node.Labels())
		}
	}
	if nodes[0].Zone() == nodes[1].Zone() {
		t.Error("neighbours share a zone")
	}
}

func TestIdentityFollowsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	state := func(dir string) State {
		t.Helper()
		s, err := NewState(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	direct, linked, other := state(dir+"/new/.local"), state(link+"/new/.local"), state(dir+"/other/.local")
	if direct.Identity() != linked.Identity() {
		t.Error("the same directory by another path is another cluster")
	}
	if direct.Identity() == other.Identity() {
		t.Error("two directories are one cluster")
	}
	if len(direct.Identity()) != 8 {
		t.Errorf("identity is %q", direct.Identity())
	}
}

func TestRecordSurvives(t *testing.T) {
	state, err := NewState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if record, err := state.Load(); record != nil || err != nil {
		t.Fatalf("got %v, %v from nothing", record, err)
	}
	nodes, err := Grow(nil, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Save(&Record{Provider: KWOK, Nodes: nodes}); err != nil {
		t.Fatal(err)
	}
	record, err := state.Load()
	if err != nil || record.Provider != KWOK || names(record.Nodes) != "private-1 public-1" {
		t.Errorf("got %+v, %v", record, err)
	}
	if err := state.Remove(); err != nil {
		t.Fatal(err)
	}
	if record, err := state.Load(); record != nil || err != nil {
		t.Errorf("got %v, %v after removal", record, err)
	}
}

func TestJudge(t *testing.T) {
	good := func() *Status {
		return &Status{
			APIReady:   true,
			Components: []ComponentStatus{{Name: "etcd", State: Running}},
			Nodes:      []NodeStatus{{Name: "private-1", State: Running, Ready: true}},
		}
	}
	tests := []struct {
		name   string
		change func(*Status)
		want   Health
	}{
		{"all is well", func(*Status) {}, Healthy},
		{"no API server", func(s *Status) { s.APIReady = false }, Degraded},
		{"a dead component", func(s *Status) { s.Components[0].State = Stopped }, Degraded},
		{"a node that is cut off and not noticed", func(s *Status) { s.Nodes[0].State = Cut }, Degraded},
		{"a node that is not ready", func(s *Status) { s.Nodes[0].Ready = false }, Degraded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status := good()
			tt.change(status)
			status.Judge()
			if status.Health != tt.want {
				t.Errorf("got %s, want %s", status.Health, tt.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	status := &Status{
		Provider: Real, Health: Degraded, State: "/state", APIServer: "https://10.101.0.2:6443", Kubeconfig: "/state/kubeconfig",
		Components: []ComponentStatus{{Name: "etcd", PID: 7, State: Running}, {Name: "kubelet", Node: "private-1", State: Stopped}},
		Nodes:      []NodeStatus{{Name: "private-1", Role: Private, Zone: "zone-1", IP: "10.101.0.11", State: Cut}},
	}
	var b bytes.Buffer
	if err := status.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"health       degraded", "API server   https://10.101.0.2:6443 (not ready)", "etcd        -           7     running",
		"kubelet     private-1   -     stopped", "private-1   private   zone-1   10.101.0.11   cut     no",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := (&Status{Health: None, State: "/state"}).WriteTable(&b); err != nil || b.String() != "no cluster in /state\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}
