// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestQuota(t *testing.T) {
	var objects []client.Object
	for _, d := range (&input{files: []string{"testdata/quota.in.yaml"}}).documents(nil) {
		must(t, d.err)
		raw := &unstructured.Unstructured{}
		must(t, raw.UnmarshalJSON(d.json))
		objects = append(objects, raw)
	}
	s := newSession(t, objects...)
	golden(t, "quota.txt", strings.Join([]string{
		s.transcript("quota"),
		s.transcript("quota", "/dev"),
		s.transcript("quota", "dev.web"),
		s.transcript("quota", "-o", "name"),
		s.transcript("quota", "/nowhere"),
		s.transcript("quota", "dev/web"),
		s.transcript("quota", "set", "/dev"),
		s.transcript("quota", "set", "/dev", "--cpu", "many"),
		s.transcript("quota", "set", "/dev", "--cpu", "2", "--force"),
		s.transcript("quota", "set", "/dev", "--gpu", "1.5"),
		s.transcript("quota", "set", "/test/a", "--mem", "64", "--disk", "0"),
		s.transcript("quota", "/test/a", "-o", "json"),
		s.transcript("quota", "dev", "-o", "jsonpath={.spec} {.metadata.annotations}"),
		s.transcript("quota", "delete", "/dev/web"),
		s.transcript("quota", "delete"),
		s.transcript("quota"),
	}, "\n"))
}
