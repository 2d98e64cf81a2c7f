// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package pathid

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// DefaultRootNamespace is where root apps live unless configured otherwise.
const DefaultRootNamespace = "default"

// What a name of Kubernetes may be. An App's name is kept shorter than it could
// be, so that the names of what belongs to it have room for a suffix.
const (
	maxName      = 200
	maxNamespace = 63
)

var (
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	dnsSubdomain = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	hashed       = regexp.MustCompile(`^(.+)-([0-9a-f]{8})([0-9a-f]{2})$`)
)

// Mapping turns ids into namespaces and names, and back. The zero value is the
// default mapping.
type Mapping struct {
	// RootNamespace is the namespace of apps that are in no group. "" is
	// DefaultRootNamespace.
	RootNamespace string
}

// Name returns the namespace and the name of the object with the absolute id.
// The first segment is the namespace and the others, joined by dots, are the
// name; apps of the root group are in the root namespace. Where that can't
// spell the id (a dot or an underscore in a segment, too long, a namespace that
// is not for apps), a slug with a hash takes its place, and the object has to
// carry the id in the annotation kdcos.io/id: annotate is true then. No two ids
// share a namespace and a name, but for two with the same slug and hash, which
// is one chance in 2³². The error is that of Validate.
func (m Mapping) Name(id string) (namespace, name string, annotate bool, err error) {
	if err := Validate(id); err != nil {
		return "", "", false, err
	}
	id = Clean(id)
	segments := Segments(id)
	if len(segments) == 1 {
		// One segment is not joined to another, so it may have dots.
		if name := segments[0]; plainName(name) {
			return m.root(), name, false, nil
		}
		return m.root(), hashedName(segments[0], id, maxName), true, nil
	}
	namespace = segments[0]
	if !m.plainNamespace(namespace) {
		namespace, annotate = m.hashedNamespace(namespace), true
	}
	name = strings.Join(segments[1:], ".")
	if strings.Count(name, ".") != len(segments)-2 || !plainName(name) {
		slugs := strings.ReplaceAll(strings.Join(segments[1:], "/"), ".", "-")
		name, annotate = hashedName(strings.ReplaceAll(slugs, "/", "."), id, maxName), true
	}
	return namespace, name, annotate, nil
}

// ID returns the id of the object with the namespace and name, and with the
// value of its annotation kdcos.io/id, if it has one. It is an error where the
// annotation's id does not belong to the name (so that no object can take the
// id of another), and where no id belongs to the name, since it needs the
// annotation or is in a namespace that is not for apps.
func (m Mapping) ID(namespace, name, annotation string) (string, error) {
	id := annotation
	if id == "" {
		id = Root + name
		if namespace != m.root() {
			id = Root + namespace + "/" + strings.ReplaceAll(name, ".", "/")
		}
	}
	wantNamespace, wantName, annotate, err := m.Name(id)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is no id: %w", id, err)
	case wantNamespace == namespace && wantName == name && (annotation != "" || !annotate):
		return Clean(id), nil
	case annotation != "":
		return "", fmt.Errorf("the id %s belongs to the name %s in namespace %s, not to %s in %s", id, wantName, wantNamespace, name, namespace)
	case namespace != m.root() && m.reserved(namespace):
		return "", fmt.Errorf("namespace %s is not for apps", namespace)
	}
	return "", errors.New("the name needs an annotation with the id it was made from, or another form")
}

func (m Mapping) root() string {
	if m.RootNamespace == "" {
		return DefaultRootNamespace
	}
	return m.RootNamespace
}

// reserved says whether a group may not use the namespace of its name: it is
// the system's, or ours, or the root group's.
func (m Mapping) reserved(namespace string) bool {
	return namespace == DefaultRootNamespace || namespace == m.root() ||
		namespace == "kube" || strings.HasPrefix(namespace, "kube-") ||
		namespace == "kdcos" || strings.HasPrefix(namespace, "kdcos-")
}

func (m Mapping) plainNamespace(s string) bool {
	return len(s) <= maxNamespace && dnsLabel.MatchString(s) && !m.reserved(s) && !isHashed(s)
}

// hashedNamespace returns a namespace for a group that can't have its own. It
// does not begin as namespaces of the system do.
func (m Mapping) hashedNamespace(segment string) string {
	slug := segment
	if m.reserved(slug + "-") {
		slug = "group-" + slug
	}
	return hashedName(slug, Root+segment, maxNamespace)
}

func plainName(s string) bool {
	return len(s) <= maxName && dnsSubdomain.MatchString(s) && !isHashed(s)
}

// hashedName returns slug, made fit for a name and no longer than that, with
// ten hexadecimal digits: eight of the hash of id, and two that check the name
// itself. By these a name that a user chose, with a time at its end perhaps,
// is told from one that was made here.
func hashedName(slug, id string, limit int) string {
	slug = strings.ReplaceAll(slug, "_", "-")
	if limit == maxNamespace {
		slug = strings.ReplaceAll(slug, ".", "-")
	}
	slug = strings.TrimRight(slug[:min(len(slug), limit-11)], "-.")
	sum := sha256.Sum256([]byte(id))
	stem := slug + "-" + hex.EncodeToString(sum[:4])
	return stem + check(stem)
}

func isHashed(name string) bool {
	m := hashed.FindStringSubmatch(name)
	return m != nil && check(m[1]+"-"+m[2]) == m[3]
}

func check(stem string) string {
	sum := sha256.Sum256([]byte("kdcos.io/id " + stem))
	return hex.EncodeToString(sum[:1])
}
