// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	tail := " S 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3"
	tests := []struct {
		name, stat string
		want       Process
		wantErr    bool
	}{
		{name: "plain", stat: "42 (etcd)" + tail, want: Process{PID: 42, PPID: 7, StartTime: 98765}},
		{name: "name with blanks and parentheses", stat: "42 (a ) (b)" + tail, want: Process{PID: 42, PPID: 7, StartTime: 98765}},
		{name: "zombie", stat: "42 (etcd) Z 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1", wantErr: true},
		{name: "cut short", stat: "42 (etcd) S 7 42", wantErr: true},
		{name: "empty", stat: "", wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat(tt.stat)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error %v, want error %v", err, tt.wantErr)
			}
			if got.PID != tt.want.PID || got.PPID != tt.want.PPID || got.StartTime != tt.want.StartTime {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestListReadsCommandLines(t *testing.T) {
	root := t.TempDir()
	write := func(pid, file, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, pid, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("42", "stat", "42 (etcd) S 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1")
	write("42", "cmdline", "/bin/etcd\x00--data-dir\x00/state/etcd\x00")
	write("43", "stat", "43 (gone)")
	write("self", "stat", "not a process")
	got, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Program() != "etcd" || len(got[0].Args) != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestMentions(t *testing.T) {
	tests := []struct {
		arg  string
		want bool
	}{
		{"/state/cluster", true},
		{"--config=/state/cluster/a.yaml", true},
		{"/other,/state/cluster,ro", true},
		{"/state/cluster2/a.yaml", false},
		{"/state/cluster2:/state/cluster/b", true},
		{"/state", false},
	}
	for _, tt := range tests {
		if got := (Process{Args: []string{"x", tt.arg}}).Mentions("/state/cluster"); got != tt.want {
			t.Errorf("Mentions(%q) = %v, want %v", tt.arg, got, tt.want)
		}
	}
}

func TestKillSparesARecycledNumber(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	p, err := Get(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	started, err := p.Started()
	if age := time.Since(started); err != nil || age < -time.Second || age > 5*time.Second {
		t.Errorf("started %s ago, %v", age, err)
	}
	stranger := p
	stranger.StartTime++
	if err := stranger.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if !p.Alive() {
		t.Fatal("a process with another start time was killed")
	}
	if err := p.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if p.Alive() {
		t.Error("process survived")
	}
	if err := p.Kill(ctx); err != nil {
		t.Errorf("second kill: %v", err)
	}
}
