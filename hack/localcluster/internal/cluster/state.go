// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kdcos/kdcos/hack/localcluster/internal/atomicfile"
	"github.com/kdcos/kdcos/hack/localcluster/internal/controlplane"
	"github.com/kdcos/kdcos/hack/localcluster/internal/network"
)

// State is the directory of one cluster.
type State struct {
	// Dir is absolute and free of symbolic links.
	Dir string
}

// NewState settles on the directory, which may not exist yet.
func NewState(dir string) (State, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return State{}, fmt.Errorf("find state directory: %w", err)
	}
	resolved, err := resolve(absolute)
	if err != nil {
		return State{}, fmt.Errorf("find state directory: %w", err)
	}
	return State{Dir: resolved}, nil
}

// resolve follows symbolic links as far as the path exists.
func resolve(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		return resolved, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
		return "", err
	}
	parent, err := resolve(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, filepath.Base(path)), nil
}

// Cluster is the directory of everything that `down` removes.
func (s State) Cluster() string { return filepath.Join(s.Dir, "cluster") }

// Logs is the directory of all logs.
func (s State) Logs() string { return filepath.Join(s.Cluster(), "logs") }

// Kubeconfig is the client configuration for the user of the cluster.
func (s State) Kubeconfig() string { return filepath.Join(s.Dir, "kubeconfig") }

// Lock is the file that keeps two commands from changing the cluster at once. It outlives the cluster.
func (s State) Lock() string { return filepath.Join(s.Dir, "cluster.lock") }

func (s State) record() string { return filepath.Join(s.Cluster(), "cluster.json") }

// Identity tells clusters of one machine apart. It follows from the directory alone, so that it cannot get lost.
func (s State) Identity() string { return hex.EncodeToString(s.sum())[:8] }

// Seed spreads the choices of clusters that do not see each other.
func (s State) Seed() uint32 { return binary.BigEndian.Uint32(s.sum()) }

func (s State) sum() []byte {
	sum := sha256.Sum256([]byte(s.Dir))
	return sum[:]
}

// Record is what a cluster was decided to be. It is written before anything else is done.
type Record struct {
	Provider string `json:"provider"`
	Nodes    []Node `json:"nodes"`
	// Plan is the address plan, of real clusters only.
	Plan *network.Plan `json:"plan,omitempty"`
	// Ports are those of simulated clusters, whose control plane shares the network of the host.
	Ports *controlplane.Ports `json:"ports,omitempty"`
	// Measuring says that a simulated cluster runs as figures are taken on it: no component limits itself.
	Measuring bool `json:"measuring,omitempty"`
}

// Load returns the record, or nil if there is no cluster.
func (s State) Load() (*Record, error) {
	data, err := os.ReadFile(s.record())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	var record Record
	if err := json.Unmarshal(data, &record); err != nil {
		return nil, fmt.Errorf("read record %s: %w", s.record(), err)
	}
	return &record, nil
}

// Save writes the record.
func (s State) Save(record *Record) error {
	data, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	for _, dir := range []string{s.Cluster(), s.Logs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("write record: %w", err)
		}
	}
	return atomicfile.Write(s.record(), append(data, '\n'), 0o600)
}

// Remove deletes all that belongs to the cluster.
func (s State) Remove() error {
	for _, path := range []string{s.Cluster(), s.Kubeconfig()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove state: %w", err)
		}
	}
	return nil
}
