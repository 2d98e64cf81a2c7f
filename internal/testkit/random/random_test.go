// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random_test

import (
	"encoding/json"
	"flag"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
	"github.com/kdcos/kdcos/internal/testkit/random"
)

var (
	number = flag.Int("apps", 2000, "how many Apps to make")
	seed   = flag.Uint64("seed", 0, "the first seed")
)

// admitted are the Apps of this many seeds that an API server takes, with its
// defaults.
func admitted(t *testing.T) map[uint64]*v1alpha1.App {
	t.Helper()
	schema := admission.App(t)
	all := map[uint64]*v1alpha1.App{}
	made := 0
	for s := *seed; len(all) < *number; s++ {
		made++
		object, errs := schema.Admit(t, random.App(s))
		if len(errs) > 0 {
			if made < 50 {
				t.Logf("seed %d: %v", s, errs.ToAggregate())
			}
			if made > 100 && made > 10*len(all) {
				t.Fatalf("%d of %d Apps were accepted: the generator proves little", len(all), made)
			}
			continue
		}
		app, err := admission.Into[v1alpha1.App](object)
		if err != nil {
			t.Fatalf("seed %d: %v", s, err)
		}
		all[s] = app
	}
	t.Logf("%d of %d Apps accepted", len(all), made)
	if made > len(all)*6/5 {
		t.Errorf("only %d of %d Apps were accepted: settle them", len(all), made)
	}
	return all
}

func TestEveryLeaf(t *testing.T) {
	visited := map[string]int{}
	for _, app := range admitted(t) {
		random.Visit(&app.Spec, func(path string) { visited[path]++ })
	}
	rarest := ""
	for _, leaf := range random.Leaves() {
		if visited[leaf] == 0 {
			t.Errorf("no App has %s", leaf)
		}
		if rarest == "" || visited[leaf] < visited[rarest] {
			rarest = leaf
		}
	}
	t.Logf("%d leaves; the rarest is %s, in %d places", len(random.Leaves()), rarest, visited[rarest])
}

// What an API server takes goes to Marathon's JSON and back without a loss.
func TestThereAndBack(t *testing.T) {
	failures := 0
	apps := admitted(t)
	for _, s := range slices.Sorted(maps.Keys(apps)) {
		app := apps[s]
		wire, err := marathon.FromApp(app, marathon.Options{})
		if err != nil {
			t.Fatalf("seed %d: %v", s, err)
		}
		text, err := json.Marshal(wire)
		if err != nil {
			t.Fatalf("seed %d: %v", s, err)
		}
		items, err := marathon.Decode(text)
		if err != nil || len(items) != 1 {
			t.Fatalf("seed %d: %v", s, err)
		}
		back, err := items[0].ToApp(marathon.Options{})
		if err != nil {
			t.Errorf("seed %d: %v", s, err)
			failures++
		} else if diff := cmp.Diff(canonical(t, app), canonical(t, back)); diff != "" {
			t.Errorf("seed %d (-App +App of its JSON):\n%s", s, diff)
			failures++
		}
		if failures > 20 {
			t.Fatal("and so on")
		}
	}
}

// canonical is a spec in the one of all forms that mean the same: with its
// defaults, without what says no more than nothing does, and in order.
func canonical(t *testing.T, app *v1alpha1.App) any {
	t.Helper()
	s := app.Spec.DeepCopy()
	s.Default()
	slices.SortFunc(s.Env, func(a, b v1alpha1.EnvVar) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Secrets, func(a, b v1alpha1.Secret) int { return strings.Compare(a.Name, b.Name) })
	for i := range s.HealthChecks {
		if h := &s.HealthChecks[i]; h.Protocol != v1alpha1.HealthCommand && h.Port == nil && h.PortIndex == nil {
			h.PortIndex = new(int32(0))
		}
	}
	if s.Container == nil && !s.OnHostNetwork() {
		s.Container = &v1alpha1.Container{Type: v1alpha1.EngineMesos}
		s.Default()
	}
	if s.Container != nil && s.Container.Docker != nil && s.Container.Type == v1alpha1.EngineMesos {
		s.Container.Docker.Privileged = nil // the MESOS engine ignores it
	}
	if len(s.Networks) > 0 && s.Networks[0].Mode == v1alpha1.NetworkBridge && s.Container != nil {
		for i := range s.Container.PortMappings {
			m := &s.Container.PortMappings[i]
			m.HostPort = new(ptr.Deref(m.HostPort, 0))
		}
	}
	if s.UnreachableStrategy == nil {
		s.UnreachableStrategy = &v1alpha1.UnreachableStrategy{Disabled: new(s.Resident())}
	}
	// With several ports, FromApp names the one that a check means.
	if c := s.Check; c != nil && c.HTTP != nil && c.HTTP.Port == nil && c.HTTP.PortIndex == nil {
		c.HTTP.PortIndex = new(int32(0))
	}
	if c := s.Check; c != nil && c.TCP != nil && c.TCP.Port == nil && c.TCP.PortIndex == nil {
		c.TCP.PortIndex = new(int32(0))
	}
	if l := s.ResourceLimits; l != nil {
		asText(l.Cpus)
		asText(l.Mem)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	said("", value)
	return value
}

// asText writes a limit as a text, as it may be written as well.
func asText(limit *intstr.IntOrString) {
	if limit == nil {
		return
	}
	if number, err := strconv.ParseFloat(limit.String(), 64); err == nil {
		*limit = intstr.FromString(strconv.FormatFloat(number, 'f', -1, 64))
	}
}

// unlike leaves out what is there before.
func unlike(items []any) (out []any) {
	for _, item := range items {
		if !slices.ContainsFunc(out, func(other any) bool { return cmp.Equal(item, other) }) {
			out = append(out, item)
		}
	}
	return out
}

// nothing are values that mean the same as none, beside false and what is empty.
var nothing = map[string]any{
	"gpus": 0.0, "executor": "", "unreachableStrategy.inactiveAfterSeconds": 0.0, "unreachableStrategy.expungeAfterSeconds": 0.0,
	"env.value": "", "container.volumes.external.csi.capability.fsType": "", "check.http.scheme": "HTTP",
}

// said takes out what says nothing. An empty list of ports says that there are none.
func said(path string, value any) (says bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if !said(strings.TrimPrefix(path+"."+name, "."), member) {
				delete(v, name)
			} else if items, ok := member.([]any); ok && (name == "constraints" || name == "healthChecks") {
				v[name] = unlike(items) // Marathon has sets of them
			}
		}
		return len(v) > 0 || strings.HasPrefix(path, "check.")
	case []any:
		for _, item := range v {
			said(path, item)
		}
		return len(v) > 0 || path == "portDefinitions" || path == "container.portMappings"
	case bool:
		return v || path == "fetch.extract"
	}
	without, is := nothing[path]
	return !is || value != without
}
