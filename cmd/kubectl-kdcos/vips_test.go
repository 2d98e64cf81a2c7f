// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestVIPs(t *testing.T) {
	var objects []client.Object
	for _, d := range (&input{files: []string{"testdata/vips.in.yaml"}}).documents(nil) {
		must(t, d.err)
		raw := &unstructured.Unstructured{}
		must(t, raw.UnmarshalJSON(d.json))
		objects = append(objects, raw)
	}
	s := newSession(t, objects...)
	golden(t, "vips.txt", strings.Join([]string{
		s.transcript("vips", "-n", "prod"),
		s.transcript("vips", "-A"),
		s.transcript("vips", "-n", "test", "--no-headers"),
		s.transcript("vips", "-n", "prod", "-o", "name"),
		s.transcript("vips", "-n", "nowhere"),
		s.transcript("vips", "web"),
	}, "\n"))
}
