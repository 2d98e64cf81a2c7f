// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers is the one list of the controllers of kdcos, of the
// indexes they need and of what they cache.
package controllers

import (
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/controllers/apps"
	"github.com/kdcos/kdcos/controllers/jobruns"
	"github.com/kdcos/kdcos/controllers/jobs"
	"github.com/kdcos/kdcos/controllers/nodemaintenances"
	"github.com/kdcos/kdcos/controllers/nodepools"
	"github.com/kdcos/kdcos/controllers/quotas"
	"github.com/kdcos/kdcos/controllers/virtualips"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/podcache"
	"github.com/kdcos/kdcos/internal/workload"
)

// Options are the settings of the controllers.
type Options struct {
	// Workload are the settings of the datacenter.
	Workload workload.Settings
	// Workers is how many objects of a kind are worked on at once; 16 if 0.
	Workers int
}

// Scheme knows the kinds the controllers work with.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register Kubernetes' kinds: %w", err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register kinds: %w", err)
	}
	return scheme, nil
}

// CacheOptions keep what is cached small: of all pods only those that we make, of
// claims those of Apps, of Jobs of batch/v1 those of our Jobs, of Services and
// their slices those of VirtualIPs, and of those and of nodes only what is looked
// at.
func CacheOptions() (cache.Options, error) {
	made := labels.SelectorFromSet(labels.Set{"app.kubernetes.io/managed-by": "kdcos"})
	var of []labels.Selector
	for _, label := range []string{v1alpha1.AppLabel, v1alpha1.JobLabel, v1alpha1.VirtualIPLabel} {
		has, err := labels.NewRequirement(label, selection.Exists, nil)
		if err != nil {
			return cache.Options{}, fmt.Errorf("select by %s: %w", label, err)
		}
		of = append(of, labels.NewSelector().Add(*has))
	}
	apps, jobs, vips := of[0], of[1], of[2]
	return cache.Options{
		DefaultTransform:            cache.TransformStripManagedFields(),
		ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                   {Label: made, Transform: trimPod},
			&corev1.Node{}:                  {Transform: trimNode},
			&corev1.PersistentVolumeClaim{}: {Label: apps, Transform: trimClaim},
			&batchv1.Job{}:                  {Label: jobs, Transform: trimJob},
			&corev1.Service{}:               {Label: vips},
			&discoveryv1.EndpointSlice{}:    {Label: vips, Transform: trimSlice},
		},
	}, nil
}

// trimPod drops what no controller reads of a pod it has made itself.
func trimPod(obj any) (any, error) {
	if pod, ok := obj.(*corev1.Pod); ok {
		pod.ManagedFields = nil
		delete(pod.Annotations, v1alpha1.SpecAnnotation)
		spec := corev1.PodSpec{NodeName: pod.Spec.NodeName, SchedulingGates: pod.Spec.SchedulingGates}
		if len(workload.MatchLabels(pod.Spec.Affinity)) > 0 {
			spec.Affinity = &corev1.Affinity{NodeAffinity: pod.Spec.Affinity.NodeAffinity}
		}
		pod.Spec = spec
	}
	return obj, nil
}

// trimJob drops what no controller reads of a Job of batch/v1.
func trimJob(obj any) (any, error) {
	if job, ok := obj.(*batchv1.Job); ok {
		job.ManagedFields, job.Spec = nil, batchv1.JobSpec{}
	}
	return obj, nil
}

// trimClaim drops what no controller reads of a claim.
func trimClaim(obj any) (any, error) {
	if claim, ok := obj.(*corev1.PersistentVolumeClaim); ok {
		claim.ManagedFields = nil
		claim.Spec = corev1.PersistentVolumeClaimSpec{Resources: claim.Spec.Resources}
		claim.Status = corev1.PersistentVolumeClaimStatus{Phase: claim.Status.Phase}
	}
	return obj, nil
}

// trimSlice drops what no controller reads of the endpoints of a Service.
func trimSlice(obj any) (any, error) {
	if slice, ok := obj.(*discoveryv1.EndpointSlice); ok {
		slice.ManagedFields, slice.Annotations = nil, nil
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			*e = discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: e.Conditions, TargetRef: e.TargetRef}
			if e.TargetRef != nil {
				e.TargetRef = &corev1.ObjectReference{Name: e.TargetRef.Name}
			}
		}
	}
	return obj, nil
}

// trimNode drops what no controller reads of a node, above all its images.
func trimNode(obj any) (any, error) {
	if node, ok := obj.(*corev1.Node); ok {
		node.ManagedFields = nil
		applied, marked := node.Annotations[v1alpha1.NodePoolAppliedAnnotation]
		node.Annotations = nil
		if marked {
			node.Annotations = map[string]string{v1alpha1.NodePoolAppliedAnnotation: applied}
		}
		node.Spec = corev1.NodeSpec{Taints: node.Spec.Taints, Unschedulable: node.Spec.Unschedulable, PodCIDRs: node.Spec.PodCIDRs}
		node.Status = corev1.NodeStatus{
			Addresses:       node.Status.Addresses,
			Allocatable:     node.Status.Allocatable,
			NodeInfo:        corev1.NodeSystemInfo{SystemUUID: node.Status.NodeInfo.SystemUUID},
			VolumesAttached: node.Status.VolumesAttached,
			Conditions: slices.DeleteFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
				return c.Type != corev1.NodeReady
			}),
		}
		// Each heartbeat changes it, and nobody asks.
		for i := range node.Status.Conditions {
			node.Status.Conditions[i].LastHeartbeatTime = metav1.Time{}
		}
	}
	return obj, nil
}

// Setup adds all indexes and controllers to a manager.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if options.Workers == 0 {
		options.Workers = 16
	}
	if err := index.Register(ctx, mgr.GetFieldIndexer(), pathid.Mapping{RootNamespace: options.Workload.RootNamespace}); err != nil {
		return fmt.Errorf("register indexes: %w", err)
	}
	if err := apps.SetupWithManager(mgr, options.Workload, options.Workers); err != nil {
		return fmt.Errorf("set up the App controller: %w", err)
	}
	pods, err := podcache.New(mgr)
	if err != nil {
		return err
	}
	if err := nodepools.SetupWithManager(mgr, options.Workload, pods, options.Workers); err != nil {
		return fmt.Errorf("set up the controllers of nodes: %w", err)
	}
	if err := virtualips.SetupWithManager(mgr, options.Workers); err != nil {
		return fmt.Errorf("set up the VirtualIP controller: %w", err)
	}
	if err := jobs.SetupWithManager(mgr, options.Workload, options.Workers); err != nil {
		return fmt.Errorf("set up the Job controller: %w", err)
	}
	if err := jobruns.SetupWithManager(mgr, options.Workload, options.Workers); err != nil {
		return fmt.Errorf("set up the JobRun controller: %w", err)
	}
	if err := quotas.SetupWithManager(mgr, pods, options.Workload); err != nil {
		return fmt.Errorf("set up the Quota controller: %w", err)
	}
	if err := nodemaintenances.SetupWithManager(mgr, pods); err != nil {
		return fmt.Errorf("set up the NodeMaintenance controller: %w", err)
	}
	return nil
}
