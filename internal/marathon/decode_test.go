// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/internal/marathon"
)

// told is what becomes of the items of a document: one line each.
func told(t *testing.T, document string) []string {
	t.Helper()
	items, err := marathon.Decode([]byte(document))
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	lines := []string{}
	for _, item := range items {
		app, err := item.ToApp(marathon.Options{})
		switch {
		case err != nil:
			lines = append(lines, fmt.Sprintf("%s: %s: %v", item.Path, item.ID, err))
		default:
			line := fmt.Sprintf("%s: %s = %s/%s", item.Path, item.ID, app.Namespace, app.Name)
			if len(app.Spec.Dependencies) > 0 {
				line += " after " + strings.Join(app.Spec.Dependencies, " ")
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, document string
		want           []string
	}{
		{"app", `{"id":"/a/b","cmd":"sleep 9"}`, []string{": /a/b = a/b"}},
		{"with a byte order mark", "\xef\xbb\xbf \n{\"id\":\"a\",\"cmd\":\"sleep 9\"}\n", []string{": a = default/a"}},
		{"last of two members", `{"id":"a","cmd":"sleep 9","id":"b"}`, []string{": b = default/b"}},
		{"array", `[{"id":"a","cmd":"sleep 9"},{"id":"b"},1,{"id":"c","cmd":"sleep 9"}]`, []string{
			"(0): a = default/a",
			"(1): b: object is not valid: /: AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.",
			"(2): : invalid JSON: /: error.expected.jsobject",
			"(3): c = default/c",
		}},
		{"nothing", `[]`, []string{}},
		{"list of apps", `{"apps":[{"id":"/a","cmd":"sleep 9"},{"id":"/b/c","cmd":9}]}`, []string{
			"/apps(0): /a = default/a",
			"/apps(1): /b/c: invalid JSON: /cmd: error.expected.jsstring",
		}},
		{"answer", `{"app":{"id":"/a","cmd":"sleep 9"}}`, []string{"/app: /a = default/a"}},
		{"app with a member named app", `{"id":"/a","cmd":"sleep 9","app":{},"apps":[],"groups":[]}`, []string{": /a = default/a"}},
		{"group", `{"id":"/prod","dependencies":["/infra","../net"],"apps":[{"id":"web","cmd":"sleep 9","dependencies":["cache","/infra"]}],
			"groups":[{"id":"db","dependencies":["../disk"],"apps":[{"id":"/prod/db/x","cmd":"sleep 9"},{"id":"y"}],"groups":[{"id":"deep","apps":[{"id":"z_z","cmd":"sleep 9"}]}]},
			{"id":"empty"}],"pods":[{"id":"p","containers":[{"name":"c","exec":{"command":{"shell":"x"}}}]}]}`, []string{
			"/apps(0): web = prod/web after /prod/cache /infra /net",
			"/pods(0): p = prod/p after /infra /net",
			"/groups(0)/apps(0): /prod/db/x = prod/db.x after /infra /net /prod/disk",
			"/groups(0)/apps(1): y: object is not valid: /: AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.",
			"/groups(0)/groups(0)/apps(0): z_z = prod/db.deep.z-z-d5700fd06b after /infra /net /prod/disk",
		}},
		{"dependencies on itself", `{"id":"/prod","dependencies":["db"],"apps":[{"id":"web","cmd":"sleep 9","dependencies":["web"]}],"groups":[{"id":"db","apps":[{"id":"x","cmd":"sleep 9"}]}]}`, []string{
			"/apps(0): web: object is not valid: /: Dependency graph has cyclic dependencies.",
			"/groups(0)/apps(0): x: object is not valid: /: Dependency graph has cyclic dependencies.",
		}},
		{"relative group", `{"id":"prod","apps":[{"id":"web","cmd":"sleep 9"},{"id":"/web","cmd":"sleep 9"},{"id":"../web","cmd":"sleep 9"},{"id":"a/b","cmd":"sleep 9"}]}`, []string{
			"/apps(0): web = prod/web",
			"/apps(1): /web: object is not valid: /id: Identifier is not child of '/prod'",
			"/apps(2): ../web: object is not valid: /id: Identifier is not child of '/prod'",
			"/apps(3): a/b: object is not valid: /id: Identifier is not child of '/prod'",
		}},
		{"root group", `{"id":"/","groups":[{"id":"/prod","apps":[{"id":"/prod/web","cmd":"sleep 9"}]}],"apps":[{"id":"/x","cmd":"sleep 9"}]}`, []string{
			"/apps(0): /x = default/x",
			"/groups(0)/apps(0): /prod/web = prod/web",
		}},
		{"bad groups", `{"groups":[{"id":"","apps":[]},{"id":"A","apps":[]},{"id":1,"apps":[]},{"apps":1},2,{"id":"ok","apps":[{"id":"x","cmd":"sleep 9"}]}]}`, []string{
			"/groups(0): : invalid JSON: /id: error.minLength",
			"/groups(1): A: invalid JSON: /id: error.pattern",
			"/groups(2): : invalid JSON: /id: error.expected.jsstring",
			"/groups(3): : invalid JSON: /apps: error.expected.jsarray",
			"/groups(4): : invalid JSON: /: error.expected.jsobject",
			"/groups(5)/apps(0): x = ok/x",
		}},
		{"pod", `{"id":"/p","containers":[{"name":"c"}]}`, []string{": /p: object is not valid: /containers(0): a container needs an exec or an image"}},
		{"pods", `[{"id":"/p","containers":[]},{"id":"/a","cmd":"sleep 9"}]`, []string{
			"(0): /p: object is not valid: /containers: must not be empty", "(1): /a = default/a",
		}},
	} {
		if diff := cmp.Diff(c.want, told(t, c.document)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestDeepGroups(t *testing.T) {
	document := strings.Repeat(`{"id":"g","groups":[`, 200) + strings.Repeat(`]}`, 200)
	if got := told(t, document); len(got) != 1 || !strings.Contains(got[0], "groups are nested too deeply") {
		t.Errorf("%q", got)
	}
	var dependencies []string
	for i := range 129 {
		dependencies = append(dependencies, fmt.Sprintf(`"/d%d"`, i))
	}
	document = `{"id":"g","dependencies":[` + strings.Join(dependencies, ",") + `],"apps":[{"id":"a","cmd":"sleep 9"}]}`
	if got := told(t, document); len(got) != 1 || !strings.Contains(got[0], "/dependencies: must not have more than 128 elements") {
		t.Errorf("%q", got)
	}
}

func TestMalformedJSON(t *testing.T) {
	for _, document := range []string{"", " ", "{", "[1,", `{"id":}`, `{"id":"a"} x`, `{"id":"a"}{"id":"b"}`, "\x00", `{"id":"a",}`, "id: a"} {
		_, err := marathon.Decode([]byte(document))
		var malformed *marathon.Error
		if !errors.As(err, &malformed) || malformed.Status != 400 || malformed.Message != "Invalid JSON" || len(malformed.Details) != 1 {
			t.Errorf("%q: %v", document, err)
			continue
		}
		body, err := json.Marshal(malformed)
		if err != nil || !strings.HasPrefix(string(body), `{"message":"Invalid JSON","details":"`) {
			t.Errorf("%q: %s, %v", document, body, err)
		}
		var app marathon.App
		if err := app.UnmarshalJSON([]byte(document)); !errors.As(err, &malformed) {
			t.Errorf("%q: %v", document, err)
		}
	}
}

func TestErrorBody(t *testing.T) {
	items, err := marathon.Decode([]byte(`{"id":"/x","cmd":"sleep 9","args":["x"],"ports":[80,80],"uris":["a b"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = items[0].ToApp(marathon.Options{})
	var refused *marathon.Error
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	const want = `{"message":"Object is not valid","details":[{"path":"/uris(0)","errors":["URI has invalid syntax."]},{"path":"/","errors":["ports must be unique"]}]}`
	if body, err := json.Marshal(refused); err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
	const line = "object is not valid: /uris(0): URI has invalid syntax.; /: ports must be unique"
	if refused.Error() != line {
		t.Error(refused)
	}
	const within = "object is not valid: /apps(1)/uris(0): URI has invalid syntax.; /apps(1): ports must be unique"
	if got := refused.Within("/apps(1)").Error(); got != within {
		t.Error(got)
	}
	if got := refused.Within("").Error(); got != line {
		t.Error(got)
	}
	if refused.Error() != line {
		t.Error("Within changes the error")
	}
}

func TestUnmarshal(t *testing.T) {
	var apps struct{ App *marathon.App }
	if err := json.Unmarshal([]byte(`{"app":{"id":"x","instances":"2"}}`), &apps); err == nil || !strings.Contains(err.Error(), "/instances: error.expected.jsnumber") {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(`{"app":{"id":"x","instances":2}}`), &apps); err != nil || *apps.App.Instances != 2 {
		t.Error(err)
	}
}
