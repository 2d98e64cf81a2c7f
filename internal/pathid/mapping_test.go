// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package pathid

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/validation"
)

// TestName holds the names of plain ids, and the form of those that are hashed:
// they are in etcd, so that this test has to change with nothing.
func TestName(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		root, id, namespace, name string
		annotate                  bool
	}{
		{"", "/x", "default", "x", false},
		{"", "/x.y", "default", "x.y", false},
		{"", "/0", "default", "0", false},
		{"marathon", "/x", "marathon", "x", false},
		{"", "/prod/web/api", "prod", "web.api", false},
		{"", "/prod//web/", "prod", "web", false},
		{"", "/prod/web-1700000000", "prod", "web-1700000000", false},
		{"", "/restart/x", "restart", "x", false},
		{"", "/hello_world", "default", "hello-world-3979d6c1ee", true},
		{"", "/prod/a.b/c", "prod", "a-b.c-{10}", true},
		{"", "/prod/a_b", "prod", "a-b-{10}", true},
		{"", "/a.b/c", "a-b-{10}", "c", true},
		{"", "/a_b/c/d", "a-b-{10}", "c.d", true},
		{"", "/default/x", "default-{10}", "x", true},
		{"", "/kube/x", "group-kube-{10}", "x", true},
		{"", "/kube-system/x", "group-kube-system-{10}", "x", true},
		{"", "/kdcos-system/x", "group-kdcos-system-{10}", "x", true},
		{"marathon", "/marathon/x", "marathon-{10}", "x", true},
		{"marathon", "/default/x", "default-{10}", "x", true},
		{"", "/" + long + "/x", strings.Repeat("a", 52) + "-{10}", "x", true},
		{"", "/p/" + strings.Repeat(long+"/", 3) + long, "p", strings.Repeat(long+".", 2) + strings.Repeat("a", 59) + "-{10}", true},
		{"", "/hello-world-3979d6c1ee", "default", "hello-world-3979d6c1ee-{10}", true},
		{"", "/prod/hello-world-3979d6c1ee", "prod", "hello-world-3979d6c1ee-{10}", true},
		{"", "/hello-world-3979d6c1ee/x", "hello-world-3979d6c1ee-{10}", "x", true},
	} {
		m := Mapping{RootNamespace: c.root}
		namespace, name, annotate, err := m.Name(c.id)
		if err != nil || annotate != c.annotate || !fits(c.namespace, namespace) || !fits(c.name, name) {
			t.Errorf("Name(%s) = %s, %s, %v, %v; want %s, %s, %v", c.id, namespace, name, annotate, err, c.namespace, c.name, c.annotate)
		}
		checkMapping(t, m, c.id)
	}
}

func fits(want, got string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\{10\}`, "[0-9a-f]{10}") + "$").MatchString(got)
}

// checkMapping holds what is true of the name of every id: Kubernetes takes it,
// it leads back to the id, and no annotation leads to another.
func checkMapping(t *testing.T, m Mapping, id string) (object string) {
	t.Helper()
	namespace, name, annotate, err := m.Name(id)
	if err != nil {
		t.Fatalf("Name(%q): %v", id, err)
	}
	if errs := validation.ValidateNamespaceName(namespace, false); errs != nil || m.root() != namespace && m.reserved(namespace) {
		t.Errorf("Name(%q): namespace %q: %v", id, namespace, errs)
	}
	if errs := validation.NameIsDNSSubdomain(name, false); errs != nil || len(name) > maxName {
		t.Errorf("Name(%q): name %q: %v", id, name, errs)
	}
	annotation := ""
	if annotate {
		annotation = id
		if other, err := m.ID(namespace, name, ""); err == nil {
			t.Errorf("ID(%s, %s) is %s without the annotation", namespace, name, other)
		}
	}
	back, err := m.ID(namespace, name, annotation)
	if err != nil || back != Clean(id) {
		t.Errorf("ID(Name(%q)) = %q, %v", id, back, err)
	}
	if back, err := m.ID(namespace, name, id); err != nil || back != Clean(id) {
		t.Errorf("ID(Name(%q)) = %q, %v with the annotation", id, back, err)
	}
	for _, other := range []string{"/other", "/other/x", id + "x", "no id"} {
		if back, err := m.ID(namespace, name, other); err == nil {
			t.Errorf("ID(Name(%q)) is %q with the annotation %q", id, back, other)
		}
	}
	return namespace + "/" + name
}

func TestIDRefusals(t *testing.T) {
	for _, c := range []struct{ namespace, name, annotation, want string }{
		{"kube-system", "x", "", "namespace kube-system is not for apps"},
		{"kdcos-system", "x", "", "namespace kdcos-system is not for apps"},
		{"default", "restart", "", "reserved keywords"},
		{"prod", "web.tasks", "", "reserved keywords"},
		{"prod", "Web", "", "must fully match"},
		{"prod", "", "", "needs an annotation"},
		{"", "", "", "must contain at least one path element"},
		{"prod", strings.Repeat("a", 201), "", "needs an annotation"},
		{"default", "hello-world-3979d6c1ee", "", "needs an annotation"},
		{"default", "hello-world-3979d6c1ee", "/hello-world", "belongs to the name hello-world in namespace default"},
		{"prod", "hello-world-3979d6c1ee", "/hello_world", "belongs to the name"},
		{"default", "x", "x", "Path needs to be absolute"},
	} {
		id, err := Mapping{}.ID(c.namespace, c.name, c.annotation)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ID(%s, %s, %s) = %q, %v; want %s", c.namespace, c.name, c.annotation, id, err, c.want)
		}
	}
	if _, _, _, err := (Mapping{}).Name("/A"); err == nil {
		t.Error("Name takes what Validate does not")
	}
}

// TestInjective makes many ids that are much alike, and looks for two of the
// same name.
func TestInjective(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	segment := func() string {
		parts := []string{"a", "b", "ab", "default", "kube-system", "web-1234567890", "x-00000000", strings.Repeat("l", 60), "hello-world-3979d6c1ee"}
		s := parts[random.IntN(len(parts))]
		for range random.IntN(3) {
			s += []string{"-", ".", "_", "--", "a"}[random.IntN(5)] + parts[random.IntN(4)]
		}
		return s
	}
	objects, hashedNames := map[string]string{}, 0
	for range 10000 {
		id := ""
		for range 1 + random.IntN(4) {
			id += "/" + segment()
		}
		if _, _, annotate, _ := (Mapping{}).Name(id); annotate {
			hashedNames++
		}
		object := checkMapping(t, Mapping{}, id)
		if other, taken := objects[object]; taken && other != id {
			t.Fatalf("%s and %s are both %s", id, other, object)
		}
		objects[object] = id
	}
	t.Logf("%d ids, %d of them hashed", len(objects), hashedNames)
}

func FuzzMapping(f *testing.F) {
	for _, id := range []string{"/x", "/prod/web/api", "/hello_world", "/a.b/c", "/default/x", "/web-1234567890", "/../x", "/A", ""} {
		f.Add(id, "")
		f.Add(id, "marathon")
	}
	f.Fuzz(func(t *testing.T, id, root string) {
		m := Mapping{RootNamespace: root}
		if len(validation.ValidateNamespaceName(m.root(), false)) > 0 {
			t.Skip()
		}
		if canonical, err := Canonical("/", id); err != nil || canonical[0] != '/' {
			t.Fatalf("Canonical(%q) = %q, %v", id, canonical, err)
		}
		if Validate(id) == nil && Clean(id) != "/other" {
			checkMapping(t, m, id)
		}
		if back, err := m.ID(root, id, ""); err == nil {
			namespace, name, annotate, err := m.Name(back)
			if err != nil || annotate || namespace+"/"+name != root+"/"+id {
				t.Fatalf("ID(%q, %q) = %q, whose name is %s/%s", root, id, back, namespace, name)
			}
		}
	})
}
