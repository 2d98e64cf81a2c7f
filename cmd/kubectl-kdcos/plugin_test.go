// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestHelp holds every command to kubectl's form of help.
func TestHelp(t *testing.T) {
	s := newSession(t)
	root := newRootCommand(newPlugin(genericiooptions.NewTestIOStreamsDiscard()))
	for _, cmd := range root.Commands() {
		if cmd.Name() == "options" {
			continue
		}
		if code := s.run(cmd.Name(), "--help"); code != 0 {
			t.Errorf("%s --help: exit code %d: %s", cmd.Name(), code, s.err)
		}
		for _, want := range []string{"Examples:\n  # ", "Usage:\n  kubectl kdcos " + cmd.Name()} {
			if !strings.Contains(s.out, want) {
				t.Errorf("%s --help has no %q:\n%s", cmd.Name(), want, s.out)
			}
		}
		if strings.Contains(s.out, program+" ") && cmd.Name() != "completion" {
			t.Errorf("%s --help names the executable:\n%s", cmd.Name(), s.out)
		}
	}
	golden(t, "help.txt", s.transcript("--help")+s.transcript()+s.transcript("frobnicate"))
}

// TestStatus runs the command, not only its pages.
func TestStatus(t *testing.T) {
	upgrading := load(t, "testdata/status/upgrading.in.yaml")
	overview := load(t, "testdata/overview/apps.in.yaml")
	for i := range upgrading.pods {
		// An API server says all this of what it has.
		upgrading.pods[i].Namespace = "prod"
		upgrading.pods[i].Labels["kdcos.io/app"] = "web"
		upgrading.pods[i].OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(upgrading.apps[0], appKind)}
	}
	stranger := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "stranger", Labels: map[string]string{"kdcos.io/app": "web"}}}
	s := newSession(t, append(append(upgrading.objects(), overview.objects()...), &stranger)...)
	text := ""
	for _, args := range [][]string{
		{},
		{"-n", "prod"},
		{"-A", "-o", "wide"},
		{"-n", "empty"},
		{"-A", "-l", "a=b"},
		{"-n", "prod", "-o", "name"},
		{"-n", "prod", "-o", "jsonpath={.kind} {.items[*].metadata.name}"},
		{"/prod/web"},
		{"web", "-n", "prod", "-o", "jsonpath={.spec.instances}"},
		{"web"},
		{"web", "-A"},
		{"a", "b"},
		{"-o", "wider"},
		{"-l", "a==="},
	} {
		text += s.transcript(append([]string{"status"}, args...)...) + "\n"
	}
	golden(t, "status.txt", text)
}

// TestCompletion answers kubectl, under the name it asks by and its own.
func TestCompletion(t *testing.T) {
	three := load(t, "testdata/versions/three.in.yaml")
	single := load(t, "testdata/versions/single.in.yaml")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "prod"}}
	s := newSession(t, append(append(three.objects(), single.objects()...), namespace,
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}},
		maintenanceOf(t, "n2", v1alpha1.MaintenanceDrain, v1alpha1.MaintenanceDrained))...)
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"sta"}, []string{"status\tShow what runs, what waits and why", ":4"}},
		{[]string{"status", ""}, []string{"hello-world-3979d6c1ee", ":4"}},
		{[]string{"status", "-n", "prod", ""}, []string{"web.api", ":4"}},
		{[]string{"status", "/"}, []string{"/hello_world", "/prod/web/api", ":4"}},
		{[]string{"status", "/p"}, []string{"/prod/web/api", ":4"}},
		{[]string{"status", "-n", "prod", "/"}, []string{"/prod/web/api", ":4"}},
		{[]string{"status", "/prod/web/api", ""}, []string{":4"}},
		{[]string{"restart", "/prod/web/api", "/"}, []string{"/hello_world", ":4"}},
		{[]string{"rollback", "/hello_world", "--to", ""}, []string{"2026-02-20T12:00:00.000Z", ":36"}},
		{[]string{"versions", "/prod/web/api", "--version", "2026-03"}, []string{"2026-03-01T11:00:00.000Z", ":36"}},
		{[]string{"versions", "--version", ""}, []string{":4"}},
		{[]string{"status", "-n", "p"}, []string{"prod", ":4"}},
		{[]string{"apply", "--dry-run=s"}, []string{"server", ":4"}},
		{[]string{"status", "-o", "w"}, []string{"wide", ":4"}},
		{[]string{"drain", "n1", ""}, []string{"n2", ":4"}},
		{[]string{"reactivate", ""}, []string{"n2", ":4"}},
		{[]string{"completion", "k"}, []string{"kubectl", ":4"}},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			s.run(append([]string{cobra.ShellCompRequestCmd}, test.args...)...)
			if diff := cmp.Diff(test.want, strings.Split(strings.TrimSpace(s.out), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestArguments tells the names the program is called by apart.
func TestArguments(t *testing.T) {
	for _, test := range []struct{ args, want []string }{
		{[]string{"/usr/bin/kubectl-kdcos", "status"}, []string{"status"}},
		{[]string{"/usr/bin/kubectl_complete-kdcos", "status", ""}, []string{"__complete", "status", ""}},
		{[]string{"kubectl_complete-kdcos.exe"}, []string{"__complete"}},
	} {
		if diff := cmp.Diff(test.want, arguments(test.args)); diff != "" {
			t.Errorf("%v: %s", test.args, diff)
		}
	}
}

// TestCompletionScripts prints what shells and kubectl run.
func TestCompletionScripts(t *testing.T) {
	s := newSession(t)
	for _, kind := range []string{"bash", "fish", "kubectl", "powershell", "zsh"} {
		if code := s.run("completion", kind); code != 0 || !strings.Contains(s.out, program) {
			t.Errorf("completion %s: exit code %d: %s", kind, code, s.err)
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}} {
		if code := s.run(args...); code != 1 || !strings.Contains(s.err, "need one of bash, fish, kubectl, powershell, zsh") {
			t.Errorf("%v: exit code %d: %s", args, code, s.err)
		}
	}
}

// TestReport prints errors as kubectl does.
func TestReport(t *testing.T) {
	apps := schema.GroupResource{Group: "kdcos.io", Resource: "apps"}
	for _, test := range []struct {
		err  error
		want string
	}{
		{errReported, ""},
		{errText("no such thing"), "error: no such thing\n"},
		{fmt.Errorf("list: %w", apierrors.NewForbidden(apps, "web", errText("no"))), "Error from server (Forbidden): apps.kdcos.io \"web\" is forbidden: no\n"},
		{apierrors.NewUnauthorized("who are you"), "error: You must be logged in to the server (who are you)\n"},
		{&url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api", Err: errText("connect: connection refused")}, "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?\n"},
		{&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonInvalid, Details: &metav1.StatusDetails{Kind: "App", Name: "web", Causes: []metav1.StatusCause{{Field: "spec", Message: "no"}}}}}, "error: the App \"web\" is invalid: spec: no\n"},
		{&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonNotFound, Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: metav1.CauseTypeUnexpectedServerResponse}}}}}, "error: the server doesn't have a resource type \"apps.kdcos.io\": is kdcos installed in this cluster?\n"},
	} {
		var out bytes.Buffer
		report(&out, test.err)
		if diff := cmp.Diff(test.want, out.String()); diff != "" {
			t.Error(diff)
		}
	}
}
