// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// maxDepth is how deep groups may nest. Marathon set no limit; no path of that
// many segments was ever seen.
const maxDepth = 64

// maxDependencies is how many an App may have, its groups' included.
const maxDependencies = 128

const (
	messageDepth = "groups are nested too deeply"
	messageMany  = "must not have more than 128 elements"
)

// Item is one app or pod of a document, or why it can't be read.
type Item struct {
	// Path is the place in the document, in Marathon's notation: /apps(0),
	// /groups(1)/apps(0), (2) in an array, and "" for the document itself.
	Path string
	// Group is the id of the group the item is in, as the document has it: it
	// may be relative. "" where the document has no group.
	Group string
	// ID is the id as the document has it, "" if it has none.
	ID string
	// App is the app. The dependencies of its groups are among its own.
	App *App
	// Pod is the pod, where it is one.
	Pod *Pod
	// Err is why there is neither: an *Error with paths relative to the item.
	Err error
}

// ToApp is ToApp for the item's app or pod, in its group.
func (i Item) ToApp(opts Options) (*v1alpha1.App, error) {
	if i.Err != nil {
		return nil, i.Err
	}
	var own string
	switch {
	case i.App != nil:
		own = i.App.ID
	case i.Pod != nil:
		own = i.Pod.ID
	default:
		return ToApp(nil, opts)
	}
	base, err := pathid.Canonical(opts.Base, i.Group)
	if err != nil {
		return nil, invalid("/id", err.Error())
	}
	if i.Group != "" {
		id, _ := pathid.Canonical(base, own)
		if id != pathid.Root && pathid.Parent(id) != base {
			return nil, invalid("/id", "Identifier is not child of '"+base+"'")
		}
	}
	opts.Base = base
	if i.Pod != nil {
		return PodToApp(i.Pod, opts)
	}
	return ToApp(i.App, opts)
}

// Decode reads a document: one app, an array of apps, what GET /v2/apps and
// GET /v2/apps/{id} answer ({"apps": […]} and {"app": {…}}), or a group with
// groups in it. What is wrong with one item does not stop the others. The error
// is an *Error with status 400, for what is no JSON.
func Decode(data []byte) ([]Item, error) {
	document, err := parse(data)
	if err != nil {
		return nil, err
	}
	d := &decoder{}
	switch v := document.(type) {
	case []any:
		for i, raw := range v {
			d.one(index("", i), raw)
		}
	case map[string]any:
		if app, ok := v["app"].(map[string]any); ok && v["id"] == nil {
			d.one("/app", app)
			break
		}
		d.one("", v)
	default:
		d.one("", v)
	}
	return d.items, nil
}

// UnmarshalJSON reads an app by the rules of Decode. The error is an *Error.
func (a *App) UnmarshalJSON(data []byte) error {
	document, err := parse(data)
	if err != nil {
		return err
	}
	p := &problems{}
	*a = readApp(node{raw: document, out: p})
	return p.err(messageInvalidJSON)
}

// UnmarshalJSON reads a pod by the rules of Decode. The error is an *Error.
func (pod *Pod) UnmarshalJSON(data []byte) error {
	document, err := parse(data)
	if err != nil {
		return err
	}
	p := &problems{}
	*pod = readPod(node{raw: document, out: p})
	return p.err(messageInvalidJSON)
}

// parse returns the one JSON value that data is. Of members of the same name
// the last counts.
func parse(data []byte) (any, error) {
	var document any
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	decoder.UseNumber()
	err := decoder.Decode(&document)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return document, nil
		}
		err = errors.New("there is more than one JSON value")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("unexpected end of input")
	}
	return nil, &Error{
		Status:  statusBadRequest,
		Message: messageInvalidJSON,
		Details: []Detail{{Path: "/", Errors: []string{err.Error()}}},
	}
}

type decoder struct{ items []Item }

// scope is what a group gives to what is in it.
type scope struct {
	group        string
	depth        int
	dependencies []string
}

// one reads an app, or all there is in a group.
func (d *decoder) one(path string, raw any) {
	members, _ := raw.(map[string]any)
	switch {
	case isGroup(members):
		d.group(path, raw, scope{})
	case members["containers"] != nil && members["container"] == nil && members["cmd"] == nil:
		d.pod(path, raw, scope{})
	default:
		d.app(path, raw, scope{})
	}
}

func (d *decoder) pod(path string, raw any, in scope) {
	members, _ := raw.(map[string]any)
	id, _ := members["id"].(string)
	p := &problems{}
	pod := readPod(node{raw: raw, out: p})
	item := Item{Path: path, Group: in.group, ID: id}
	if err := p.err(messageInvalidJSON); err != nil {
		item.Err = err
	} else {
		pod.Dependencies = append(pod.Dependencies, in.dependencies...)
		item.Pod = &pod
	}
	d.items = append(d.items, item)
}

// isGroup says whether an object is a group rather than an app with members
// that Marathon would ignore.
func isGroup(members map[string]any) bool {
	if members["cmd"] != nil || members["args"] != nil || members["container"] != nil {
		return false
	}
	for _, name := range []string{"apps", "groups", "pods"} {
		if members[name] != nil {
			return true
		}
	}
	return false
}

func (d *decoder) app(path string, raw any, in scope) {
	members, _ := raw.(map[string]any)
	id, _ := members["id"].(string)
	p := &problems{}
	app := readApp(node{raw: raw, out: p})
	item := Item{Path: path, Group: in.group, ID: id}
	if err := p.err(messageInvalidJSON); err != nil {
		item.Err = err
	} else {
		app.Dependencies = append(app.Dependencies, in.dependencies...)
		item.App = &app
	}
	d.items = append(d.items, item)
}

// group reads the members of a group. Its dependencies are those of every app
// in it; relative ones continue its own id.
func (d *decoder) group(path string, raw any, in scope) {
	p := &problems{}
	o := node{raw: raw, out: p}.fields()
	id := either(o, "id", text(notEmpty))
	dependencies := either(o, "dependencies", set(text()))
	here := scope{group: in.group, depth: in.depth + 1, dependencies: in.dependencies}
	if id != "" {
		here.group = inside(in.group, id)
		p.check(validGroup(here.group), "/id", noMatch)
	}
	p.check(here.depth <= maxDepth, "/", messageDepth)
	p.check(len(in.dependencies)+len(dependencies) <= maxDependencies, "/dependencies", messageMany)
	for _, name := range []string{"apps", "groups", "pods"} {
		if n, ok := o.member(name); ok {
			list(func(node) any { return nil })(n)
		}
	}
	if err := p.err(messageInvalidJSON); err != nil {
		d.items = append(d.items, Item{Path: path, Group: in.group, ID: id, Err: err})
		return
	}
	for _, dependency := range dependencies {
		here.dependencies = append(here.dependencies[:len(here.dependencies):len(here.dependencies)], inside(here.group, dependency))
	}
	for _, name := range []string{"apps", "pods", "groups"} {
		items, _ := o.members[name].([]any)
		for i, raw := range items {
			d.inGroup(index(path+"/"+name, i), name, raw, here)
		}
	}
}

func (d *decoder) inGroup(path, kind string, raw any, in scope) {
	switch kind {
	case "apps":
		d.app(path, raw, in)
	case "groups":
		d.group(path, raw, in)
	default:
		d.pod(path, raw, in)
	}
}

// inside returns an id as seen from outside of a group, which may be relative.
func inside(group, id string) string {
	if group == "" || len(id) > 0 && id[0] == '/' {
		return id
	}
	return group + "/" + id
}

func validGroup(id string) bool {
	canonical, err := pathid.Canonical(pathid.Root, id)
	return err == nil && pathid.ValidateGroup(canonical) == nil
}
