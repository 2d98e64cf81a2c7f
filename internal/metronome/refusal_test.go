// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/metronome"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// TestRefusals holds what is refused, where and why. A row changes members of a
// good job.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ job, run, want string }{
		{`"id":null`, ``, "/: Property id missing."},
		{`"id":"A"`, ``, "/id: 'A' does not match pattern"},
		{`"id":"/a"`, ``, "/id: '/a' does not match pattern"},
		{`"id":7`, ``, "/id: Wrong type. Expected string, was number."},
		{`"run":null`, ``, "/: Property run missing."},
		{`"run":[]`, ``, "/run: Wrong type. Expected object, was array."},
		{`"x":1`, ``, "/: Additional properties are not allowed but found 'x'. There are id, description"},
		{`"labels":{"a":1}`, ``, "/labels/a: Wrong type. Expected string, was number."},
		{`"dependencies":[{}]`, ``, "/dependencies(0): Property id missing."},
		{`"dependencies":[{"id":"a"},{"id":"a"}]`, ``, "/dependencies: has double entries"},
		{`"dependencies":[{"id":"j"}]`, ``, "/dependencies: Dependencies have a cycle."},
		{`"schedules":[{"id":"a","cron":"* * * * *"},{"id":"b","cron":"* * * * *"}]`, ``, "/schedules: has size 2, expected 1 or less"},
		{`"schedules":[{"id":"a","cron":"* * * * *"}],"dependencies":[{"id":"a"}]`, ``, "/: Jobs may not have both dependencies and schedules specified"},
		{`"schedules":[{"cron":"* * * * *"}]`, ``, "/schedules(0): Property id missing."},
		{`"schedules":[{"id":"a","cron":"0 0 31 2 *"}]`, ``, `/schedules(0)/cron: Can not read cron expression "0 0 31 2 *": Day of the month must exist`},
		{`"schedules":[{"id":"a","cron":"@daily"}]`, ``, "/schedules(0)/cron: Can not read cron expression"},
		{`"schedules":[{"id":"a","cron":"* * * * *","timezone":"Mars/Base"}]`, ``, `/schedules(0)/timezone: No time zone found with this id: "Mars/Base"`},
		{`"schedules":[{"id":"a","cron":"* * * * *","timezone":"Local"}]`, ``, `/schedules(0)/timezone: No time zone found with this id: Local`},
		{`"schedules":[{"id":"a","cron":"* * * * *","timeZone":"Mars/Base"}]`, ``, `/schedules(0)/timeZone: No time zone found`},
		{`"schedules":[{"id":"a","cron":"* * * * *","startingDeadlineSeconds":59}]`, ``, "/schedules(0)/startingDeadlineSeconds: got 59 seconds, expected 1 minute or more"},
		{`"schedules":[{"id":"a","cron":"* * * * *","concurrencyPolicy":"REPLACE"}]`, ``, "/schedules(0)/concurrencyPolicy: 'REPLACE' is not one of: , ALLOW, FORBID"},
		{``, `"cmd":null`, "/run: Cmd, Docker or UCR image must be specified"},
		{``, `"cmd":""`, "/run: Cmd, Docker or UCR image must be specified"},
		{``, `"args":["a"]`, "/run: cmd and args exclude each other"},
		{``, `"cpus":0`, "/run/cpus: 0 is not between 0.01 and 100000"},
		{``, `"mem":31.9`, "/run/mem: 31.9 is not between 32 and 1073741824"},
		{``, `"mem":"32"`, "/run/mem: Wrong type. Expected number, was string."},
		{``, `"gpus":1.5`, "/run/gpus: 1.5 is no whole number"},
		{``, `"gpus":1,"docker":{"image":"a"}`, "/run/gpus: GPUs are not supported with Docker"},
		{``, `"docker":{"image":"a"},"ucr":{"image":{"id":"a"}}`, "/run: Either Docker or UCR should be provided, but not both"},
		{``, `"docker":{}`, "/run/docker: Property image missing."},
		{``, `"docker":{"image":" a"}`, "/run/docker/image: ' a' does not match pattern"},
		{``, `"ucr":{"image":{"id":"a","kind":"appc"}}`, "/run/ucr/image/kind: images of kind appc are not supported"},
		{``, `"env":{"A=B":"c"}`, "/run/env/A=B: the name does not match pattern"},
		{``, `"env":{"A":1}`, "/run/env/A: Wrong type. Expected string or object, was number."},
		{``, `"env":{"A":{"secret":"s"}}`, "/run: The following secrets are referenced, but undefined: s. Please add them to the secrets field."},
		{``, `"secrets":{"s":{"source":"x"}}`, "/run: The following secrets are defined, but not referenced: s. Please remove them from the secrets field."},
		{``, `"volumes":[{"containerPath":"/a","hostPath":"/b"}]`, `/run/volumes(0): expected HostVolume or SecretVolume object but got {"containerPath":"/a","hostPath":"/b"}`},
		{``, `"volumes":[{"containerPath":"/a","hostPath":"/b","mode":"rw"}]`, "/run/volumes(0)/mode: 'rw' is not one of: RO, RW"},
		{``, `"volumes":[{"containerPath":"/a","hostPath":"/b","mode":"RW"},{"containerPath":"/a","hostPath":"/c","mode":"RW"}]`, "/run/volumes(1)/containerPath: is that of another volume"},
		{``, `"docker":{"image":"a"},"secrets":{"s":{"source":"x"}},"volumes":[{"containerPath":"/a","secret":"s"}]`, "/run/volumes: File based secrets are only supported by UCR"},
		{``, `"networks":[{}]`, "/run/networks(0): Property mode missing."},
		{``, `"networks":[{"mode":"container","name":"a"}]`, "/run/networks: Only containers may join container or bridge networks"},
		{``, `"networks":[{"mode":"host","name":"a"}]`, "/run/networks(0)/name: must be empty for host network"},
		{``, `"docker":{"image":"a"},"networks":[{"mode":"container"}]`, "/run/networks(0)/name: must not be empty for container networks"},
		{``, `"docker":{"image":"a"},"networks":[{"mode":"container","name":"a"},{"mode":"container","name":"b"}]`, "/run/networks: Docker does not allow specification of multiple networks"},
		{``, `"ucr":{"image":{"id":"a"}},"networks":[{"mode":"container","name":"a"},{"mode":"host"}]`, "/run/networks: You may not mix"},
		{``, `"networks":[{"mode":"host"},{"mode":"host"}]`, "/run/networks: Only one host or container/bridge network modes are allowed"},
		{``, `"ucr":{"image":{"id":"a"}},"networks":[{"mode":"container","name":"a"},{"mode":"container","name":"a"}]`, "/run/networks: network names must be unique"},
		{``, `"placement":{"constraints":[{"attribute":"a","operator":"LIKE","value":"("}]}`, "/run/placement/constraints(0)/value: the regular expression is not one of RE2"},
		{``, `"placement":{"constraints":[{"attribute":"a","operator":"UNLIKE","value":""}]}`, "an empty regular expression matches nothing"},
		{``, `"placement":{"constraints":[{"attribute":"a","operator":"UNIQUE"}]}`, "/run/placement/constraints(0)/operator: 'UNIQUE' is not one of: IS, EQ, LIKE, UNLIKE"},
		{``, `"restart":{}`, "/run/restart: Property policy missing."},
		{``, `"maxLaunchDelay":0`, "/run/maxLaunchDelay: 0 is not between 1 and 31536000"},
		{``, `"artifacts":[{"uri":"a","destPath":"b"}]`, "/run/artifacts(0): Additional properties are not allowed but found 'destPath'."},
	} {
		items, err := metronome.Decode(changed(t, c.job, c.run))
		if err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		var refusal *metronome.Error
		if err := items[0].Err; !errors.As(err, &refusal) || refusal.Status != 422 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.job, c.run, err, c.want)
		}
	}
}

func changed(t *testing.T, job, run string) []byte {
	t.Helper()
	good := map[string]any{"id": "j"}
	inside := map[string]any{"cmd": "true", "cpus": 1, "mem": 32, "disk": 0}
	good["run"] = inside
	for into, text := range map[*map[string]any]string{&good: job, &inside: run} {
		if err := json.Unmarshal([]byte("{"+text+"}"), into); err != nil {
			t.Fatal(text, err)
		}
	}
	document, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// TestError holds the body of the answer.
func TestError(t *testing.T) {
	items, err := metronome.Decode([]byte(`[{"id":"a","run":{"mem":1}},7]`))
	if err != nil || len(items) != 2 || items[0].ID != "a" || items[1].Path != "(1)" {
		t.Fatal(items, err)
	}
	body, err := json.Marshal(items[0].Err)
	const want = `{"message":"Object is not valid","details":[{"path":"/run/mem","errors":["1 is not between 32 and 1073741824"]},{"path":"/run","errors":["Cmd, Docker or UCR image must be specified"]}]}`
	if err != nil || string(body) != want {
		t.Errorf("%s, %v, want %s", body, err, want)
	}
	for _, document := range []string{``, `{`, `{} {}`, strings.Repeat("[", 100) + strings.Repeat("]", 100)} {
		_, err := metronome.Decode([]byte(document))
		var refusal *metronome.Error
		if !errors.As(err, &refusal) || refusal.Status != 400 || !strings.HasPrefix(refusal.Message, "Invalid JSON: ") {
			t.Errorf("%q: %v", document, err)
		}
	}
}

func TestIsJob(t *testing.T) {
	for document, want := range map[string]bool{
		`{"id":"a","run":{}}`: true, `[{"id":"a","run":{}}]`: true, `{"run":1}`: false, `[]`: false, `7`: false, `{`: false,
		`{"id":"a","cmd":"true"}`: false, `{"id":"a","cmd":"true","run":{}}`: false, `{"id":"/p","containers":[],"run":{}}`: false,
	} {
		if got := metronome.IsJob([]byte(document)); got != want {
			t.Errorf("%s: %v", document, got)
		}
	}
}

// FuzzDecode reads whatever there is: nothing panics, what is refused has a
// reason, and what is accepted is admitted and survives the way there and back.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.in.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		document, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	for _, document := range []string{`{"id":"a","run":{"cmd":"x","cpus":1e-400,"mem":-0,"gpus":1e0}}`, `[{}]`, "\x00", `{"id":"\ud800"}`} {
		f.Add([]byte(document))
	}
	s := admission.Job(f)
	f.Fuzz(func(t *testing.T, document []byte) {
		metronome.IsJob(document)
		items, err := metronome.Decode(document)
		if err != nil {
			return
		}
		for _, item := range items[:min(len(items), 8)] {
			if item.Err == nil {
				job, err := metronome.ToJob(item.Job, pathid.Mapping{})
				if err == nil {
					checkJob(t, s, item.Path, job)
					continue
				}
				item.Err = err
			}
			var refusal *metronome.Error
			if !errors.As(item.Err, &refusal) || len(refusal.Details) == 0 || refusal.Details[0].Path == "" || refusal.Details[0].Errors[0] == "" {
				t.Errorf("refused without a reason: %#v", item.Err)
			}
		}
	})
}
