// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build seeded

package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// TestSeededBugs builds the sweep with one bug at a time and lets it run: it
// must fail. The source stays as it is; the compiler sees the bug by -overlay.
func TestSeededBugs(t *testing.T) {
	plane, stop, err := startPlane(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	dir := t.TempDir()
	writeKubeconfig(t, filepath.Join(dir, "admin"), plane.Admin)
	writeKubeconfig(t, filepath.Join(dir, "manager"), plane.Config)
	wanted := regexp.MustCompile(*only)
	var bugs []*seed
	for _, s := range seeds(t) {
		if wanted.MatchString(s.name) {
			bugs = append(bugs, s)
		}
	}
	// The next is built while one runs.
	built := make(chan string)
	go func() {
		defer close(built)
		for _, s := range bugs {
			built <- s.build(t, filepath.Join(dir, s.name))
		}
	}()
	for _, s := range bugs {
		t.Run(s.name, func(t *testing.T) {
			if binary := <-built; binary != "" {
				s.hunt(t, binary, dir)
			}
		})
	}
}

// build compiles the sweep with the bug; it returns nothing where that fails.
func (s *seed) build(t *testing.T, dir string) string {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Error(err)
		return ""
	}
	texts, err := s.texts()
	if err != nil {
		t.Error(err)
		return ""
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for path, text := range texts {
		changed := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			t.Error(err)
			return ""
		}
		overlay["Replace"][path] = changed
	}
	raw, err := json.Marshal(overlay)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), raw, 0o600)
	}
	if err != nil {
		t.Error(err)
		return ""
	}
	binary := filepath.Join(dir, "chaos.test")
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, ".").CombinedOutput()
	if err != nil {
		t.Errorf("%s does not compile: %v\n%s", s.name, err, out)
		return ""
	}
	return binary
}

// hunt runs the part of the sweep that has to catch the bug.
func (s *seed) hunt(t *testing.T, binary, plane string) {
	t.Helper()
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestSweep$", "-test.v", "-chaos.every",
		"-chaos.scenario=("+s.Scenario+")$", "-chaos.faults=("+s.Faults+")$", "-chaos.failures=1", "-chaos.patience=20s",
		fmt.Sprintf("-chaos.parallel=%d", *parallel))
	cmd.Env = append(os.Environ(), planeVariable+"="+plane)
	out, err := cmd.CombinedOutput()
	_ = os.Remove(binary)
	caught := caughtPattern.FindSubmatch(out)
	if err == nil || caught == nil {
		t.Errorf("not caught: %s\n%s", s.Description, out)
		return
	}
	fmt.Printf("chaos: seeded bug %-24s caught by %s at %s (%s)\n", s.name, caught[1], caught[2], time.Since(began).Round(time.Second))
	t.Logf("%s", bytes.TrimSpace(out))
}

var caughtPattern = regexp.MustCompile(`(?m)^chaos: (\S+) fails at (.*)$`)

// writeKubeconfig writes a client configuration to a file.
func writeKubeconfig(t *testing.T, file string, c *rest.Config) {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["plane"] = &clientcmdapi.Cluster{Server: c.Host, CertificateAuthorityData: c.CAData}
	config.AuthInfos["user"] = &clientcmdapi.AuthInfo{ClientCertificateData: c.CertData, ClientKeyData: c.KeyData}
	config.Contexts["plane"] = &clientcmdapi.Context{Cluster: "plane", AuthInfo: "user"}
	config.CurrentContext = "plane"
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
}
