// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes/fake"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

func TestStubDomains(t *testing.T) {
	const corefile = ".:53 {\n    forward . /etc/resolv.conf\n}\n"
	set := fake.NewClientset(
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns"}, Data: map[string]string{"Corefile": corefile}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "kdcos-system", Name: "kdcos-dns"}, Spec: corev1.ServiceSpec{ClusterIPs: []string{"10.0.0.53"}}},
	)
	command := func(args ...string) (string, int) {
		var out bytes.Buffer
		p := newPlugin(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
		p.core = func() (corev1client.CoreV1Interface, error) { return set.CoreV1(), nil }
		code := run(append([]string{program, "stub-domains"}, args...), p)
		return out.String(), code
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"add --service=here", 1, "not NAMESPACE/NAME"},
		{"add --service=a/b", 1, "not found"},
		{"add now", 1, "unexpected arguments"},
		{"add --dry-run=client", 0, "Corefile: changed (dry run)\n" + corefile + "# BEGIN kdcos"},
		{"remove --dry-run=client", 0, "Corefile: unchanged (dry run)\n"},
		{"add", 0, "ConfigMap kube-system/coredns, Corefile: changed\n"},
		{"add", 0, "Corefile: unchanged\n"},
		{"remove", 0, "Corefile: changed\n"},
		{"remove", 0, "Corefile: unchanged\n"},
	} {
		if out, code := command(strings.Fields(c.args)...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}
