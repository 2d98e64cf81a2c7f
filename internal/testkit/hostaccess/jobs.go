// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package hostaccess

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Run is one that needs a label of its namespace, whether a Job has it or a JobRun.
type Run struct {
	// Name says what it does.
	Name string
	// Field is the one that a refusal names.
	Field string
	// Label of the namespace that allows it.
	Label string
	// Spec of the run as YAML.
	Spec string
	// Inert says that it does nothing even where it is allowed.
	Inert bool
}

// Runs are one for each way out of a container that a run has, the first of them
// the exploit of 2017 as a job.
func Runs() []Run {
	const volumes, user = "spec.run.volumes", "spec.run.user"
	runs := []Run{
		{
			"the exploit", volumes, v1alpha1.AllowHostPathLabel,
			"cmd: echo x >> /tmp/etc/cron.d/x\ndocker: {image: busybox}\nvolumes: [{containerPath: /tmp, hostPath: /, mode: RW}]", false,
		},
		{"read-only host path", volumes, v1alpha1.AllowHostPathLabel, "docker: {image: busybox}\nvolumes: [{containerPath: /host, hostPath: /etc, mode: RO}]", false},
		{"docker socket with ucr", volumes, v1alpha1.AllowHostPathLabel, "ucr: {image: {id: busybox}}\nvolumes: [{containerPath: a, hostPath: /var/run/docker.sock}]", false},
		{"host path without an image", volumes, v1alpha1.AllowHostPathLabel, "cmd: ls a\nvolumes: [{containerPath: a, hostPath: /etc}]", false},
		{"host path of many slashes", volumes, v1alpha1.AllowHostPathLabel, "docker: {image: busybox}\nvolumes: [{containerPath: /host, hostPath: //etc/./}]", false},
		{
			"host path behind a harmless one", volumes, v1alpha1.AllowHostPathLabel,
			"docker: {image: busybox}\nvolumes: [{containerPath: /a, hostPath: a}, {containerPath: /host, hostPath: /}]", false,
		},
		{"host path without an end", volumes, v1alpha1.AllowHostPathLabel, "docker: {image: busybox}\nvolumes: [{containerPath: /host, hostPath: /var/../..}]", true},
		{"host network", "spec.run.networks", v1alpha1.AllowHostNetworkLabel, "networks: [{mode: host}]\ndocker: {image: busybox}", false},
		{"host network with ucr", "spec.run.networks", v1alpha1.AllowHostNetworkLabel, "networks: [{mode: host}]\nucr: {image: {id: busybox}}", false},
		{"host network without an image", "spec.run.networks", v1alpha1.AllowHostNetworkLabel, "networks: [{mode: host}]\ncmd: sleep 9", false},
		{"privileged", "spec.run.docker.privileged", v1alpha1.AllowPrivilegedLabel, "docker: {image: busybox, privileged: true}", false},
	}
	for _, image := range []string{"ucr: {image: {id: busybox}}", "cmd: sleep 9"} {
		for _, name := range []string{"root", "0"} {
			runs = append(runs, Run{"user " + name + " with " + image, user, v1alpha1.AllowRootLabel, fmt.Sprintf("user: %q\n", name) + image, false})
		}
		for _, name := range []string{"00", "+0", "-0", "ROOT", " root", "0 "} {
			runs = append(runs, Run{"user " + name + " with " + image, user, v1alpha1.AllowRootLabel, fmt.Sprintf("user: %q\n", name) + image, true})
		}
	}
	eachFlag(func(label, key string, inert bool, value string) {
		runs = append(runs, Run{
			key + "=" + value, "spec.run.docker.parameters", label,
			fmt.Sprintf("docker: {image: busybox, parameters: [{key: %q, value: %q}]}", key, value), inert,
		})
	})
	return runs
}

func (r Run) decode() (v1alpha1.Run, error) {
	var run v1alpha1.Run
	if err := yaml.UnmarshalStrict([]byte(r.Spec), &run); err != nil {
		return run, fmt.Errorf("%s: %w", r.Name, err)
	}
	return run, nil
}

// Job is one with the run, as it would be created in a namespace.
func (r Run) Job(namespace, name string) (*v1alpha1.Job, error) {
	run, err := r.decode()
	return &v1alpha1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.JobSpec{Run: run},
	}, err
}

// JobRun is one with the run, as it would be created in a namespace.
func (r Run) JobRun(namespace, name string) (*v1alpha1.JobRun, error) {
	run, err := r.decode()
	return &v1alpha1.JobRun{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "JobRun"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-1"},
		Spec:       v1alpha1.JobRunSpec{JobName: name, Run: run},
	}, err
}
