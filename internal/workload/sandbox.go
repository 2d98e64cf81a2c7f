// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// FetchContainerName is the name of the init container that fetches files.
const FetchContainerName = "fetch"

const (
	sandboxVolume = "sandbox"
	// sandboxVariable tells a task where its sandbox is.
	sandboxVariable = "MESOS_SANDBOX"
	// fetchMemory is what the fetcher may use at least, in bytes: xz asks for 64 MiB.
	fetchMemory = 128 * mebi
	// fetchCores is what it may use at least, in cores: Mesos' fetcher ran
	// outside of what its task was given.
	fetchCores = 1
)

// inSandbox starts a command in the sandbox, where the image does not say
// another directory: as Mesos' own engine did. The command is an argument, and
// no part of the script.
const inSandbox = `[ "$PWD" != / ] || cd "$MESOS_SANDBOX"; exec /bin/sh -c "$0"`

// fetchItem is an entry of fetch as the fetcher takes it.
type fetchItem struct {
	URI        string `json:"uri"`
	DestPath   string `json:"destPath,omitempty"`
	Extract    bool   `json:"extract,omitempty"`
	Executable bool   `json:"executable,omitempty"`
	Cache      bool   `json:"cache,omitempty"`
}

// fetch is the init container that fetches what the app names, nil if that is nothing.
func (t *task) fetch(spec *v1alpha1.AppSpec, settings Settings, task *corev1ac.ContainerApplyConfiguration) (*corev1ac.ContainerApplyConfiguration, error) {
	if len(spec.Fetch) == 0 {
		return nil, nil
	}
	items := make([]fetchItem, 0, len(spec.Fetch))
	for i := range spec.Fetch {
		f := &spec.Fetch[i]
		items = append(items, fetchItem{
			URI: f.URI, DestPath: ptr.Deref(f.DestPath, ""),
			Extract: ptr.Deref(f.Extract, true), Executable: ptr.Deref(f.Executable, false), Cache: ptr.Deref(f.Cache, false),
		})
	}
	raw, err := json.Marshal(items)
	if err != nil {
		return nil, fmt.Errorf("encode fetch: %w", err)
	}
	args := []string{"--sandbox=" + sandboxPath}
	for _, n := range settings.FetchAllowed {
		args = append(args, "--allow="+n)
	}
	for _, n := range settings.FetchForbidden {
		args = append(args, "--forbid="+n)
	}
	args = append(args, escape(string(raw)))
	security := corev1ac.SecurityContext().
		WithAllowPrivilegeEscalation(false).
		WithReadOnlyRootFilesystem(true).
		WithCapabilities(corev1ac.Capabilities().WithDrop("ALL")).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
	if s := task.SecurityContext; s != nil {
		// What is fetched belongs to who runs the task.
		security.RunAsUser, security.RunAsGroup = s.RunAsUser, s.RunAsGroup
	}
	limits := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(fetchCores, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(fetchMemory, resource.BinarySI),
	}
	requests := corev1.ResourceList{}
	for name, least := range limits {
		if of, ok := (*task.Resources.Limits)[name]; ok && of.Cmp(least) > 0 {
			limits[name] = of
		}
		if of, ok := (*task.Resources.Requests)[name]; ok {
			requests[name] = of
			if limit := limits[name]; of.Cmp(limit) > 0 {
				limits[name] = of // the task itself has no limit
			}
		}
	}
	return corev1ac.Container().
		WithName(t.fetcher).
		WithImage(settings.FetcherImage).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithCommand("/fetcher").
		WithArgs(args...).
		WithResources(corev1ac.ResourceRequirements().WithRequests(requests).WithLimits(limits)).
		WithSecurityContext(security).
		WithVolumeMounts(corev1ac.VolumeMount().WithName(t.flags.sandbox()).WithMountPath(sandboxPath)), nil
}

// usesSandbox says that a task has its sandbox. Not every one does: a pod with
// a directory of its own is one that kubectl drain asks about, and most images
// know nothing of Mesos. raw is the spec as JSON.
func usesSandbox(spec *v1alpha1.AppSpec, raw string, mounts []mount) bool {
	return len(spec.Fetch) > 0 || !hasImage(spec) ||
		spec.Cmd != nil && spec.Container.Type == v1alpha1.EngineMesos ||
		strings.Contains(raw, sandboxVariable) || strings.Contains(raw, sandboxPath) ||
		slices.ContainsFunc(mounts, func(m mount) bool {
			return m.inSandbox != "" && m.claim == "" || strings.HasPrefix(m.path, sandboxPath+"/")
		})
}

// addSandbox gives a pod the directory that a task finds in MESOS_SANDBOX, and
// what fills it.
func (t *task) addSandbox(pod *corev1ac.PodSpecApplyConfiguration, task *corev1ac.ContainerApplyConfiguration, settings Settings) error {
	spec := &t.app.Spec
	pod.WithVolumes(corev1ac.Volume().WithName(t.flags.sandbox()).WithEmptyDir(corev1ac.EmptyDirVolumeSource()))
	task.WithVolumeMounts(corev1ac.VolumeMount().WithName(t.flags.sandbox()).WithMountPath(sandboxPath))
	if !slices.ContainsFunc(spec.Env, func(v v1alpha1.EnvVar) bool { return v.Name == sandboxVariable }) {
		task.WithEnv(corev1ac.EnvVar().WithName(sandboxVariable).WithValue(sandboxPath))
	}
	fetcher, err := t.fetch(spec, settings, task)
	if fetcher != nil {
		pod.WithInitContainers(fetcher)
	}
	return err
}
