// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const sleeper = `{apiVersion: kdcos.io/v1alpha1, kind: App, metadata: {name: x, namespace: default}, spec: {cmd: sleep 9}}`

func TestAdmit(t *testing.T) {
	schema := App(t)
	u, errs := schema.Admit(t, strings.Replace(sleeper, "cmd: sleep 9", "cmd: sleep 9, nonsense: 1, user: null", 1)+"\n")
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	want := map[string]any{
		"cmd": "sleep 9", "instances": int64(1), "cpus": int64(1), "mem": int64(128), "disk": int64(0), "role": "slave_public",
		"networks": []any{map[string]any{"mode": "host"}}, "killSelection": "YOUNGEST_FIRST",
		"backoffSeconds": int64(1), "backoffFactor": 1.15, "maxLaunchDelaySeconds": int64(300),
	}
	if diff := cmp.Diff(want, u.Object["spec"]); diff != "" {
		t.Errorf("what is stored (-want +got):\n%s", diff)
	}
	app, err := Into[v1alpha1.App](u)
	if err != nil || *app.Spec.Instances != 1 {
		t.Errorf("%v, %v", app, err)
	}
	if again, errs := schema.Admit(t, app); len(errs) > 0 || cmp.Diff(u.Object["spec"], again.Object["spec"]) != "" {
		t.Errorf("a typed object is not the same: %v, %v", again, errs)
	}
	if _, ok := u.Object["status"]; ok {
		t.Error("a new object has a status")
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"kind: App", "kind: Job", "must be kdcos.io/v1alpha1 App"},
		{"v1alpha1", "v1", "must be kdcos.io/v1alpha1 App"},
		{"name: x", "name: X", "metadata.name"},
		{"namespace: default", "namespace: a.b", "metadata.namespace"},
		{"cmd: sleep 9", "cmd: 9", "must be of type string"},
		{"cmd: sleep 9", "cmd: x", "should be at least 2 chars long"},
		{"cmd: sleep 9", "cmd: sleep 9, env: [{}]", "Required value"},
		{"cmd: sleep 9", "cmd: sleep 9, env: [{name: a}, {name: a}]", "Duplicate value"},
		{"cmd: sleep 9", "cmd: sleep 9, dependencies: [/a, /a]", "Duplicate value"},
		{"cmd: sleep 9", "user: root", "an app needs a cmd, args, a container with an image, or containers"},
		{"namespace: default", "namespace: default, annotations: {kdcos.io/id: " + strings.Repeat("a", 300000) + "}", "metadata.annotations"},
	} {
		_, errs := App(t).Admit(t, strings.Replace(sleeper, c.old, c.new, 1))
		if len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), c.want) {
			t.Errorf("%.100s: %v; want %s", c.new, errs, c.want)
		}
	}
}

// TestExpensiveRule holds that a rule that could cost an API server too much is
// found before one does.
func TestExpensiveRule(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root(), "config", "crd", "kdcos.io_apps.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const anchor = "cmd and args exclude each other: give one of them"
	for rule, want := range map[string]string{
		"self.env.all(a, self.env.all(b, self.env.all(c, a.name != b.name || b.name != c.name)))": "estimated rule cost exceeds budget",
		"self.nosuch == 1": "undefined field 'nosuch'",
	} {
		changed := strings.Replace(string(data), "- message: '"+anchor+"'", "- message: x\n              rule: '"+rule+"'\n            - message: '"+anchor+"'", 1)
		if changed == string(data) {
			t.Fatal("the definition has changed its form: nothing was put in")
		}
		file := filepath.Join(t.TempDir(), "crd.yaml")
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		schema, err := load(file)
		if err != nil {
			t.Fatal(err)
		}
		if errs := schema.ValidateCRD(t); len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), want) {
			t.Errorf("%s: %v; want %s", rule, errs, want)
		}
	}
}
