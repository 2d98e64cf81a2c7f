// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestNodes(t *testing.T) {
	var objects []client.Object
	for _, d := range (&input{files: []string{"testdata/nodes.in.yaml"}}).documents(nil) {
		must(t, d.err)
		raw := &unstructured.Unstructured{}
		must(t, raw.UnmarshalJSON(d.json))
		objects = append(objects, raw)
	}
	s := newSession(t, objects...)
	golden(t, "nodes.txt", strings.Join([]string{
		s.transcript("nodes"),
		s.transcript("nodes", "-o", "wide"),
		s.transcript("nodes", "--no-headers"),
		s.transcript("nodes", "-o", "name"),
		s.transcript("nodes", "-o", "jsonpath={.items[*].metadata.name}"),
		s.transcript("nodes", "-o", "tall"),
		s.transcript("nodes", "web"),
		newSession(t).transcript("nodes"),
	}, "\n"))
}
