// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestConvert converts files, good and bad, and needs no cluster.
func TestConvert(t *testing.T) {
	const in = "testdata/convert/in/"
	for name, args := range map[string][]string{
		"app":         {"-f", in + "hello.json"},
		"app-json":    {"-f", in + "hello.json", "-o", "json"},
		"app-name":    {"-f", in + "hello.json", "-f", in + "group.json", "-o", "name"},
		"array":       {"-f", in + "apps.json", "--base", "/prod"},
		"group":       {"-f", in + "group.json"},
		"group-json":  {"-f", in + "group.json", "-o", "jsonpath={.kind} {.items[*].metadata.name}"},
		"root":        {"-f", in + "hello.json", "--root-namespace", "marathon", "-o", "name"},
		"directory":   {"-f", in, "-o", "name"},
		"recursive":   {"-R", "-f", in, "-o", "name"},
		"mixed":       {"-f", in + "nested/mixed.yaml"},
		"nothing":     {"-f", in + "missing.json", "-f", "https://example.com/app.json", "-f", "testdata/convert/none"},
		"cut":         {"-f", in + "cut.json"},
		"bad-output":  {"-f", in + "hello.json", "-o", "wide"},
		"bad-base":    {"-f", in + "hello.json", "--base", "prod"},
		"no-file":     {},
		"stray":       {"app.json"},
		"twice":       {"-f", in + "hello.json", "-f", in + "hello.json", "-o", "name"},
		"default-net": {"-f", "-", "--default-network", "overlay"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			s.in = `{"id":"x","cmd":"sleep 1","networks":[{"mode":"container"}]}`
			golden(t, filepath.Join("convert", name+".txt"), s.transcript(append([]string{"convert"}, args...)...))
		})
	}
}

// TestConvertNeedsNoCluster is what makes it useful before there is one.
func TestConvertNeedsNoCluster(t *testing.T) {
	t.Setenv("KUBECONFIG", "testdata/no-such-file")
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	p := newPlugin(streams)
	p.connect = func() (client.Client, error) { return nil, errors.New("there is no cluster") }
	if code := run([]string{program, "convert", "-f", "testdata/convert/in/hello.json"}, p); code != 0 || !strings.Contains(out.String(), "/hello_world") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}

// TestConvertIsStable converts what was converted to the same.
func TestConvertIsStable(t *testing.T) {
	s := newSession(t)
	s.run("convert", "-f", "testdata/convert/in/group.json", "-f", "testdata/convert/in/hello.json")
	first := s.out
	s.in = first
	if code := s.run("convert", "-f", "-"); code != 0 || s.out != first {
		t.Errorf("exit code %d\n%s\n%s", code, s.err, s.out)
	}
}
