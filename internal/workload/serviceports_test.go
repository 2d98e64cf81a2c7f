// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func TestServicePorts(t *testing.T) {
	for name, c := range map[string]struct {
		written, assigned, want []int32
		left                    int
		fails                   string
	}{
		"new":                            {written: []int32{0, 0}, want: []int32{10007, 10008}, left: 9},
		"no ports":                       {written: nil, assigned: []int32{10001}, want: nil},
		"written down":                   {written: []int32{80, 0}, want: []int32{80, 10007}, left: 9},
		"kept on update":                 {written: []int32{0, 0}, assigned: []int32{10001, 10002}, want: []int32{10001, 10002}},
		"one more":                       {written: []int32{0, 0, 0}, assigned: []int32{10001, 10002}, want: []int32{10001, 10002, 10007}, left: 9},
		"one less":                       {written: []int32{0}, assigned: []int32{10001, 10002}, want: []int32{10001}},
		"what was written down before":   {written: []int32{0}, assigned: []int32{80}, want: []int32{10007}, left: 9},
		"what is written down elsewhere": {written: []int32{0, 10001}, assigned: []int32{10001, 10002}, want: []int32{10002, 10001}},
		"none left":                      {written: []int32{0, 0}, left: 1, fails: "port 1: all service ports from 10000 to 20000 are in use"},
	} {
		spec := v1alpha1.AppSpec{PortDefinitions: []v1alpha1.PortDefinition{}}
		for _, p := range c.written {
			spec.PortDefinitions = append(spec.PortDefinitions, v1alpha1.PortDefinition{Port: ptr.To(p)})
		}
		number, left := int32(10006), c.left
		next := func() (int32, bool) {
			number, left = number+1, left-1
			return number, left >= 0
		}
		got, err := ServicePorts(&spec, c.assigned, PortRange{First: 10000, Last: 20000}, next)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: got %v, want %q", name, err, c.fails)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}
