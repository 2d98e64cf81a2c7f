// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// read reads an App as a user would write it, with its defaults filled in.
func read(t *testing.T, file string) *v1alpha1.App {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	app := &v1alpha1.App{}
	if err := yaml.UnmarshalStrict(raw, app); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if app.Namespace == "" {
		app.Namespace = "default"
	}
	app.UID = "11111111-2222-3333-4444-555555555555"
	app.Spec.Default()
	return app
}

// TestGolden translates testdata/*.in.yaml into pods, or into the list of what
// is not supported.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, in := range files {
		t.Run(strings.TrimSuffix(filepath.Base(in), ".in.yaml"), func(t *testing.T) {
			got := translate(t, read(t, in))
			out := strings.TrimSuffix(in, ".in.yaml") + ".out.yaml"
			if *update {
				if err := os.WriteFile(out, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func translate(t *testing.T, app *v1alpha1.App) string {
	t.Helper()
	settings := DefaultSettings()
	settings.StorageClasses = map[v1alpha1.PersistentVolumeType]string{v1alpha1.PersistentMount: "disks"}
	settings.DriverClasses = map[string]string{"rexray": "ebs"}
	if refused := Unsupported(app, settings); len(refused) > 0 {
		return "# unsupported:\n# " + strings.Join(refused, "\n# ") + "\n"
	}
	pod, err := Pod(app, settings, Slot{Number: 1, Version: "2021-10-31T12:00:00.000Z"})
	if err != nil {
		return fmt.Sprintf("# refused: %v\n", err)
	}
	raw, err := yaml.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	out := string(raw)
	for _, claim := range append(Claims(app, settings, PersistentVolumes(&app.Spec), 1), ExternalClaims(app, settings)...) {
		raw, err := yaml.Marshal(claim)
		if err != nil {
			t.Fatal(err)
		}
		out += "---\n" + string(raw)
	}
	return out
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"plain":            "plain",
		"$":                "$",
		"$HOME ${HOME}":    "$HOME ${HOME}",
		"$(date)":          "$$(date)",
		"$$":               "$$$",
		"$$(x)":            "$$$$(x)",
		"a$(b)$c$$d$(":     "a$$(b)$c$$$d$$(",
		"$$$":              "$$$$$",
		"öffne $(pwd) →$$": "öffne $$(pwd) →$$$",
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
		if back := expand(escape(in)); back != in {
			t.Errorf("Kubernetes makes %q of %q", back, in)
		}
	}
}

// expand is what Kubernetes does where no variable is known.
func expand(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteByte(s[i])
		if s[i] == '$' && i+1 < len(s) && s[i+1] == '$' {
			i++
		}
	}
	return b.String()
}

func FuzzEscape(f *testing.F) {
	f.Add("$(a)$$b")
	f.Fuzz(func(t *testing.T, in string) {
		out := escape(in)
		if back := expand(out); back != in {
			t.Errorf("%q becomes %q", in, back)
		}
		if strings.Contains(strings.ReplaceAll(out, "$$", ""), "$(") {
			t.Errorf("%q still holds a reference: %q", in, out)
		}
	})
}

func TestDouble(t *testing.T) {
	for in, want := range map[float64]string{
		1: "1.0", 0: "0.0", 0.1: "0.1", 128: "128.0", 512.5: "512.5",
		0.001: "0.001", 0.0001: "1.0E-4", 1e7: "1.0E7", 12345678: "1.2345678E7",
	} {
		if got := double(in); got != want {
			t.Errorf("double(%v) = %s, want %s", in, got, want)
		}
	}
}

// TestConfig holds which changes restart tasks, and the hash itself: pods of an
// older kdcos must not look out of date to a newer one.
func TestConfig(t *testing.T) {
	app := read(t, "testdata/hello-world.in.yaml")
	hash := func() string {
		h, _, err := Config(app)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	before := hash()
	if want := "83333ddb5f"; before != want {
		t.Errorf("hash %s, want %s: all tasks of all users would restart", before, want)
	}
	*app.Spec.Instances = 7
	app.Spec.ExecutorResources = &v1alpha1.ExecutorResources{}
	if hash() != before {
		t.Error("scaling restarts tasks")
	}
	app.Annotations = map[string]string{v1alpha1.RestartedAtAnnotation: "now"}
	if hash() == before {
		t.Error("a restart is not a change")
	}
	app.Annotations = nil
	app.Spec.Labels = map[string]v1alpha1.LabelValue{"a": "b"}
	if hash() == before {
		t.Error("a label is not a change, in Marathon it is")
	}
}

func TestPodName(t *testing.T) {
	app := read(t, "testdata/hello-world.in.yaml")
	app.Name = strings.Repeat("very.long.", 20) + "name"
	name := PodName(app, "0123456789", 99999)
	if len(name) > 63 || strings.Contains(name, ".") {
		t.Errorf("%q is no host name", name)
	}
	if v := Labels(app)[v1alpha1.AppLabel]; len(v) > 63 {
		t.Errorf("%q is no label value", v)
	}
	other := app.DeepCopy()
	other.UID = "x"
	if PodName(other, "0123456789", 99999) == name {
		t.Error("a new App of the same name shares names with the old")
	}
}

func TestPortsOfInstancesDiffer(t *testing.T) {
	app := read(t, "testdata/host-ports.in.yaml")
	settings := DefaultSettings()
	seen := map[int32]int{}
	for slot := range 500 {
		ports, err := assignPorts(app, settings, "c", slot)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ports {
			if p.requested != 0 && p.host == p.requested {
				continue
			}
			if p.host < settings.HostPorts.First || p.host > settings.HostPorts.Last {
				t.Fatalf("port %d is out of range", p.host)
			}
			if other, taken := seen[p.host]; taken {
				t.Fatalf("instances %d and %d share port %d", other, slot, p.host)
			}
			seen[p.host] = slot
		}
	}
	settings.HostPorts = PortRange{First: 1, Last: 1}
	if _, err := assignPorts(app, settings, "c", 0); err == nil {
		t.Error("more ports than there are")
	}
}
