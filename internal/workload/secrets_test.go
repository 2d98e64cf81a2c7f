// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestSecretName(t *testing.T) {
	for source, want := range map[string]string{
		"password":                "password",
		"/prod/db/password":       "prod.db.password",
		"prod//db/password/":      "prod.db.password",
		"prod/db.password":        "prod-db-password-" + digest("/prod/db.password"),
		"prod/db/Password":        "prod-db-password-" + digest("/prod/db/Password"),
		"a b_c":                   "a-b-c-" + digest("/a b_c"),
		"ü":                       digest("/ü"),
		strings.Repeat("a/", 200): strings.Repeat("a-", 25) + "a-" + digest("/"+strings.Repeat("a/", 199)+"a"),
	} {
		got := SecretName(source)
		if got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
		if wrong := validation.IsDNS1123Subdomain(got); len(wrong) > 0 {
			t.Errorf("%q: %q: %v", source, got, wrong)
		}
	}
}

// The examples of DC/OS' documentation, and the borders between them.
func TestMayUse(t *testing.T) {
	for _, c := range []struct {
		id, source string
		may        bool
	}{
		{"/hello", "password", true},
		{"/hdfs", "hdfs/secret", true},
		{"/hdfs/a/b", "hdfs/secret", true},
		{"/hdfs", "/hdfs/secret", true},
		{"/hdfs2", "hdfs/secret", false},
		{"/group/spark", "group/hdfs/x", false},
		{"/group/hdfs", "group/hdfs/x", true},
		{"/group", "group/hdfs/x", false},
		{"/x/group/hdfs", "group/hdfs/x", false},
	} {
		if err := mayUse(c.id, c.source); (err == nil) != c.may {
			t.Errorf("%s uses %s: %v", c.id, c.source, err)
		}
	}
}

func FuzzSecretName(f *testing.F) {
	f.Add("prod/db/password")
	f.Fuzz(func(t *testing.T, source string) {
		if wrong := validation.IsDNS1123Subdomain(SecretName(source)); len(wrong) > 0 {
			t.Errorf("%q: %q: %v", source, SecretName(source), wrong)
		}
	})
}
