// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestParameterValues holds what is taken for the value of a docker parameter,
// and what is said of what is not.
func TestParameterValues(t *testing.T) {
	for _, c := range []struct{ key, value, message string }{
		{"env", "A=b=c", ""},
		{"env", "A=", ""},
		{"env", "HOME", "has no value: write NAME=value"},
		{"env", "=b", "no name of a variable"},
		{"env", "Ä=b", "no name of a variable"},
		{"user", "0", ""},
		{"user", "root:root", ""},
		{"user", "nobody:nogroup", ""},
		{"user", "2147483647:1", ""},
		{"user", "2147483648", "use root, nobody or a number"},
		{"user", "jenkins", "use root, nobody or a number"},
		{"user", "", "use root, nobody or a number"},
		{"user", "00", "use root, nobody or a number"},
		{"user", "+1", "use root, nobody or a number"},
		{"user", "1:", "use root, nogroup or a number"},
		{"user", "1:wheel", "use root, nogroup or a number"},
		{"user", "1:2:3", "use root, nogroup or a number"},
		{"workdir", "/srv", ""},
		{"workdir", "srv", "no absolute path"},
		{"hostname", "web-1", ""},
		{"hostname", "web.example.com", "without a domain"},
		{"hostname", "Web", "lower case"},
		{"add-host", "db:192.0.2.1", ""},
		{"add-host", "db:2001:db8::1", ""},
		{"add-host", "db", "write name:ip"},
		{"add-host", "db:host-gateway", "write name:ip"},
		{"add-host", "d_b:192.0.2.1", "write name:ip"},
		{"cap-add", "net_admin", ""},
		{"cap-drop", "CAP_CHOWN", ""},
		{"cap-drop", "all", ""},
		{"cap-add", "EVERYTHING", "no capability of Linux"},
		{"cap-add", "", "no capability of Linux"},
		{"shm-size", "1b", ""},
		{"shm-size", "65536", ""},
		{"shm-size", "64m", ""},
		{"shm-size", "64MB", ""},
		{"shm-size", "1.5G", ""},
		{"shm-size", "0", "out of range"},
		{"shm-size", "999999999999999g", "out of range"},
		{"shm-size", "64Mi", "no size"},
		{"shm-size", "-1", "no size"},
		{"shm-size", "", "no size"},
		{"pid", "container:x", "use host, or leave it out"},
		{"ipc", "private", ""},
		{"ipc", "shareable", "use host or private"},
		{"net", "bridge", "use host, or leave it out"},
		{"privileged", "false", ""},
		{"privileged", "yes", "neither true nor false"},
		{"read-only", "", "neither true nor false"},
		{"volume", "/a:/b", ""},
		{"volume", "/a:/b:rw", ""},
		{"volume", "/a", "no path of the node"},
		{"volume", "data:/b", "no path of the node"},
		{"volume", "/a:b", "no path of the node"},
		{"volume", "/a:/b:ro:x", "no path of the node"},
		{"volume", "/a:/b:z", "use ro or rw"},
		{"volume", "/a/../b:/b", "must not hold '..'"},
		{"volume", "/a:/.", "whole file system"},
		{"volume", "/a:/dev/shm", ""},
		{"dns", "192.0.2.1", ""},
		{"dns", "ns.example.com", "no IP address"},
		{"dns-search", "example.com", ""},
		{"dns-search", ".", "no domain"},
		{"dns-opt", "ndots:2", ""},
		{"dns-opt", "ndots 2", "no option of resolv.conf"},
		{"entrypoint", "", "the program is missing"},
		{"tty", "2", "neither true nor false"},
	} {
		_, err := readFlags(withParameters(c.key, c.value))
		switch {
		case c.message == "" && err != nil:
			t.Errorf("%s=%s: %v", c.key, c.value, err)
		case c.message != "" && (err == nil || !strings.Contains(err.Error(), c.message) || !strings.Contains(err.Error(), "container.docker.parameters[0]: "+c.key)):
			t.Errorf("%s=%s: %v, want %q", c.key, c.value, err, c.message)
		}
	}
}

func TestParametersTogether(t *testing.T) {
	for _, c := range []struct {
		parameters []string
		edit       func(*v1alpha1.AppSpec)
		message    string
	}{
		{[]string{"dns", "192.0.2.1", "dns", "192.0.2.2", "dns", "192.0.2.3", "dns", "192.0.2.4"}, nil, "at most 3 name servers"},
		{[]string{"shm-size", "64m", "ipc", "host"}, nil, "/dev/shm is the node's"},
		{[]string{"shm-size", "64m", "volume", "/a:/dev/shm"}, nil, "two volumes at /dev/shm"},
		{[]string{"volume", "/a:/b", "volume", "/b:/b/"}, nil, "two volumes at /b"},
		{[]string{"net", "host"}, nil, "use networks: [{mode: host}]"},
		{[]string{"net", "host"}, func(s *v1alpha1.AppSpec) { s.Networks = nil }, ""},
		{[]string{"hostname", "a"}, func(s *v1alpha1.AppSpec) { s.Networks = nil }, "it is the node's"},
		{[]string{"entrypoint", "/a"}, func(s *v1alpha1.AppSpec) { s.Cmd = new("b") }, "use args in place of cmd"},
	} {
		spec := withParameters(c.parameters...)
		if c.edit != nil {
			c.edit(spec)
		}
		_, err := readFlags(spec)
		if (err == nil) != (c.message == "") || !strings.Contains(fmt.Sprint(err), c.message) {
			t.Errorf("%v: %v, want %q", c.parameters, err, c.message)
		}
	}
}

// What takes the last of a name and what takes all of them is as with docker.
func TestRepeatedParameters(t *testing.T) {
	f, err := readFlags(withParameters("user", "0", "user", "1000", "privileged", "true", "privileged", "0", "shm-size", "1m", "shm-size", "2k", "cap-add", "CHOWN", "cap-add", "KILL"))
	if err != nil {
		t.Fatal(err)
	}
	if *f.uid != 1000 || f.privileged || f.shm != 2048 || len(f.capAdd) != 2 {
		t.Errorf("%+v", f)
	}
}

func withParameters(pairs ...string) *v1alpha1.AppSpec {
	docker := &v1alpha1.DockerContainer{Image: "x"}
	for i := 0; i < len(pairs); i += 2 {
		docker.Parameters = append(docker.Parameters, v1alpha1.DockerParameter{Key: pairs[i], Value: pairs[i+1]})
	}
	spec := &v1alpha1.AppSpec{
		Networks:  []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
		Container: &v1alpha1.Container{Docker: docker},
	}
	spec.Default()
	return spec
}
