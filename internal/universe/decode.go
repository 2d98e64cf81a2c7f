// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// DecodePackage reads one package of an index. The error is an *Error that names
// all fields that are wrong. Fields that Cosmos did not know are ignored, as are
// those that came with a later packaging version.
func DecodePackage(data []byte) (*Package, error) {
	r := &reader{}
	if len(data) > maxPackage {
		r.add("", fmt.Sprintf("has %d bytes, must not have more than %d", len(data), maxPackage))
	} else if err := json.Unmarshal(data, &r.members); err != nil || r.members == nil {
		r.add("", "must be a JSON object")
	}
	p := &Package{}
	if len(r.problems) == 0 {
		p = r.read()
		// A field that can't be read is no further wrong.
		for _, problem := range p.check() {
			if !r.complains(problem.Path) {
				r.problems = append(r.problems, problem)
			}
		}
	}
	if len(r.problems) > 0 {
		return nil, &Error{
			Reason: InvalidPackage, Package: shorten(p.Name), Version: shorten(p.Version),
			Problems: sortProblems(r.problems),
		}
	}
	return p, nil
}

// reader reads the fields of an object and collects what is wrong.
type reader struct {
	members  map[string]json.RawMessage
	problems []Problem
}

func (r *reader) add(path, message string) {
	r.problems = append(r.problems, Problem{Path: path, Message: message})
}

func (r *reader) complains(path string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Path == path })
}

// has says whether there is a field. Null is none.
func (r *reader) has(name string) bool {
	raw, ok := r.members[name]
	return ok && string(raw) != "null"
}

func (r *reader) require(names ...string) {
	for _, name := range names {
		if !r.has(name) {
			r.add(name, "is missing")
		}
	}
}

// take reads a field if it is there.
func take[T any](r *reader, name string) (out T) {
	if r.has(name) {
		if err := json.Unmarshal(r.members[name], &out); err != nil {
			r.add(pathWithin(name, err), readMessage(err))
		}
	}
	return out
}

// either reads a field of which it matters whether it is there.
func either[T any](r *reader, name string) *T {
	if !r.has(name) {
		return nil
	}
	out := take[T](r, name)
	return &out
}

func (r *reader) read() *Package {
	r.require("packagingVersion", "name", "version", "releaseVersion", "maintainer", "description", "tags")
	p := &Package{
		PackagingVersion:   take[string](r, "packagingVersion"),
		Name:               take[string](r, "name"),
		Version:            take[string](r, "version"),
		ReleaseVersion:     take[int64](r, "releaseVersion"),
		Maintainer:         take[string](r, "maintainer"),
		Description:        take[string](r, "description"),
		Tags:               take[[]string](r, "tags"),
		Selected:           either[bool](r, "selected"),
		SCM:                take[string](r, "scm"),
		Website:            take[string](r, "website"),
		Framework:          either[bool](r, "framework"),
		PreInstallNotes:    take[string](r, "preInstallNotes"),
		PostInstallNotes:   take[string](r, "postInstallNotes"),
		PostUninstallNotes: take[string](r, "postUninstallNotes"),
		Licenses:           take[[]License](r, "licenses"),
		Marathon:           either[Marathon](r, "marathon"),
		Resource:           either[Resource](r, "resource"),
		Config:             r.config(),
	}
	switch p.PackagingVersion {
	case V2:
		r.require("marathon")
		if p.Resource != nil {
			p.Resource.CLI = nil
		}
	case V3, V4, V5:
		p.MinDCOSReleaseVersion = r.release("minDcosReleaseVersion")
		p.LastUpdated = either[int64](r, "lastUpdated")
		p.HasKnownIssues = either[bool](r, "hasKnownIssues")
	default:
		if r.has("packagingVersion") && !r.complains("packagingVersion") {
			r.add("packagingVersion", "must be "+enumerate([]string{V2, V3, V4, V5}))
		}
	}
	switch p.PackagingVersion {
	case V2, V3:
		p.Command = either[Command](r, "command")
	case V4, V5:
		p.UpgradesFrom = take[[]string](r, "upgradesFrom")
		p.DowngradesTo = take[[]string](r, "downgradesTo")
	}
	if p.PackagingVersion == V5 {
		p.Manager = either[Manager](r, "manager")
		if p.Manager != nil && p.Manager.PackageName == "" {
			r.add("manager.packageName", "is missing")
		}
	}
	if p.Marathon != nil && p.Marathon.Template == nil && !r.complains("marathon.v2AppMustacheTemplate") && !r.complains("marathon") {
		r.add("marathon.v2AppMustacheTemplate", "is missing")
	}
	return p
}

func (r *reader) release(name string) *DCOSRelease {
	text := take[string](r, name)
	if !r.has(name) || r.complains(name) {
		return nil
	}
	release, err := ParseDCOSRelease(text)
	if err != nil {
		r.add(name, err.Error())
	}
	return &release
}

// config returns the schema of the options as it is written. Whether it is a
// schema that can be used shows when it is: until then a package with a bad one
// can be found and described.
func (r *reader) config() json.RawMessage {
	if !r.has("config") {
		return nil
	}
	raw := r.members["config"]
	if len(raw) > maxConfig {
		r.add("config", fmt.Sprintf("has %d bytes, must not have more than %d", len(raw), maxConfig))
		return nil
	}
	value, err := parse(raw)
	if err != nil {
		r.add("config", err.Error())
	} else if _, ok := value.(map[string]any); !ok {
		r.add("config", "must be an object")
	}
	return raw
}

// pathWithin returns the place that an error of encoding/json is about.
func pathWithin(name string, err error) string {
	var wrong *json.UnmarshalTypeError
	var corrupt base64.CorruptInputError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return name + "." + wrong.Field
	case errors.As(err, &corrupt) && name == "marathon":
		return "marathon.v2AppMustacheTemplate"
	}
	return name
}

// readMessage says what an error of encoding/json means.
func readMessage(err error) string {
	var wrong *json.UnmarshalTypeError
	var corrupt base64.CorruptInputError
	switch {
	case errors.As(err, &wrong):
		want := "an object"
		switch wrong.Type.Kind() {
		case reflect.String:
			want = "a string"
		case reflect.Bool:
			want = "true or false"
		case reflect.Int64:
			want = "an integer"
		case reflect.Slice:
			want = "an array"
			if wrong.Type.Elem().Kind() == reflect.Uint8 {
				want = "a string"
			}
		}
		return "is " + shorten(wrong.Value) + ", must be " + want
	case errors.As(err, &corrupt):
		return "must be base64"
	}
	return err.Error()
}
