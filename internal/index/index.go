// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package index holds the field indexes of the cache and the queries that use
// them, so that no read of a pass goes through all objects of a kind.
package index

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/workload"
)

// The fields. They are names for the cache only: an API server knows none of them.
const (
	controllerUID = "metadata.controllerUID"
	nodeName      = "spec.nodeName"
	unreachable   = "status.unreachable"
	leaving       = "spec.leaving"
	perNode       = "spec.perNode"
	uncontrolled  = "metadata.uncontrolled"
	servicePort   = "servicePort"
	matches       = "spec.matches"
	dependency    = "spec.dependencies"
	external      = "spec.externalVolumes"
	vipKey        = "vipKey"
	vipLabel      = "virtualIPLabel"
	dnsLabel      = "dnsLabel"
	jobName       = "spec.jobName"
	namespaceOf   = "metadata.namespaceOf"
)

// Register adds the indexes to the cache. The ids of Apps are those of a mapping.
func Register(ctx context.Context, indexer client.FieldIndexer, ids pathid.Mapping) error {
	for _, i := range []struct {
		kind   client.Object
		field  string
		values client.IndexerFunc
	}{
		{&corev1.Pod{}, controllerUID, controllerOf},
		{&corev1.PersistentVolumeClaim{}, controllerUID, controllerOf},
		{&corev1.Pod{}, nodeName, nodeOf},
		{&policyv1.PodDisruptionBudget{}, controllerUID, controllerOf},
		{&policyv1.PodDisruptionBudget{}, uncontrolled, isUncontrolled},
		{&corev1.Node{}, unreachable, isUnreachable},
		{&corev1.Node{}, leaving, isLeaving},
		{&batchv1.Job{}, controllerUID, controllerOf},
		{&batchv1.Job{}, jobName, jobLabelOf},
		{&v1alpha1.JobRun{}, jobName, jobNameOf},
		{&v1alpha1.Quota{}, namespaceOf, governed},
		{&v1alpha1.Job{}, dependency, dependenciesOf},
		{&v1alpha1.Job{}, matches, matchesOf},
		{&v1alpha1.App{}, perNode, runsPerNode},
		{&v1alpha1.App{}, servicePort, servicePortsOf},
		{&v1alpha1.App{}, matches, matchesOf},
		{&v1alpha1.App{}, dependency, dependenciesOf},
		{&v1alpha1.App{}, external, externalVolumesOf},
		{&corev1.Pod{}, matches, matchLabelsOf},
		{&v1alpha1.App{}, vipKey, vipKeysOf},
		{&v1alpha1.VirtualIP{}, vipKey, keyOf},
		{&v1alpha1.VirtualIP{}, vipLabel, labelOf},
		{&discoveryv1.EndpointSlice{}, vipLabel, labelOf},
		{&v1alpha1.App{}, dnsLabel, func(obj client.Object) []string { return dnsLabelOf(obj, ids) }},
	} {
		if err := indexer.IndexField(ctx, i.kind, i.field, i.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.kind, i.field, err)
		}
	}
	return nil
}

func controllerOf(obj client.Object) []string {
	if owner := metav1.GetControllerOfNoCopy(obj); owner != nil {
		return []string{string(owner.UID)}
	}
	return nil
}

func governed(obj client.Object) []string {
	namespace, _ := v1alpha1.ScopeOfQuota(obj.GetName())
	return []string{namespace}
}

// QuotasIn selects the Quotas of a namespace, those of groups in it included.
func QuotasIn(namespace string) client.ListOption {
	return client.MatchingFields{namespaceOf: namespace}
}

// QuotasOf are the Quotas that what is of an App or a Job of the namespace and name
// is charged to. They belong to the cache: nobody changes them.
func QuotasOf(ctx context.Context, c client.Reader, namespace, name string) ([]*v1alpha1.Quota, error) {
	var list v1alpha1.QuotaList
	if err := c.List(ctx, &list, QuotasIn(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list quotas: %w", err)
	}
	var all []*v1alpha1.Quota
	for i := range list.Items {
		if list.Items[i].Governs(namespace, name) {
			all = append(all, &list.Items[i])
		}
	}
	return all, nil
}

func isUncontrolled(obj client.Object) []string {
	return yes(metav1.GetControllerOfNoCopy(obj) == nil)
}

func nodeOf(obj client.Object) []string {
	if pod, is := obj.(*corev1.Pod); is && pod.Spec.NodeName != "" {
		return []string{pod.Spec.NodeName}
	}
	return nil
}

func isUnreachable(obj client.Object) []string {
	if node, is := obj.(*corev1.Node); is {
		if _, lost := UnreachableSince(node); lost {
			return []string{"true"}
		}
	}
	return nil
}

func isLeaving(obj client.Object) []string {
	node, is := obj.(*corev1.Node)
	return yes(is && Leaving(node))
}

func runsPerNode(obj client.Object) []string {
	app, is := obj.(*v1alpha1.App)
	return yes(is && app.Spec.RunsPerNode())
}

// leavingTaints are put on nodes by those who are about to remove them.
var leavingTaints = map[string]bool{"karpenter.sh/disrupted": true, "ToBeDeletedByClusterAutoscaler": true}

// Leaving says that a node is being emptied, or may be: kubectl drain leaves no
// other sign than that it is cordoned.
func Leaving(node *corev1.Node) bool {
	return node.Spec.Unschedulable || slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return leavingTaints[t.Key] })
}

// Draining says that a node is being emptied by its NodeMaintenance.
func Draining(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return t.Key == v1alpha1.MaintenanceTaint && t.Value == string(v1alpha1.MaintenanceDraining)
	})
}

// servicePortsOf are the service ports an App wrote down or was given.
func servicePortsOf(obj client.Object) []string {
	app, is := obj.(*v1alpha1.App)
	if !is {
		return nil
	}
	var all []string
	for _, p := range append(workload.WrittenServicePorts(&app.Spec), app.Status.ServicePorts...) {
		if p != 0 {
			all = append(all, strconv.Itoa(int(p)))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// UnreachableSince is when a node stopped to answer, as Kubernetes' node
// controller found it.
func UnreachableSince(node *corev1.Node) (since time.Time, is bool) {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

// matchesOf says that an App or a Job needs nodes to be labelled for its constraints.
func matchesOf(obj client.Object) []string {
	return yes(len(workload.MatchesOf(obj)) > 0)
}

// matchLabelsOf says that a pod asks for such labels.
func matchLabelsOf(obj client.Object) []string {
	pod, is := obj.(*corev1.Pod)
	return yes(is && len(workload.MatchLabels(pod.Spec.Affinity)) > 0)
}

func yes(is bool) []string {
	if is {
		return []string{"true"}
	}
	return nil
}

func dependenciesOf(obj client.Object) []string {
	switch o := obj.(type) {
	case *v1alpha1.App:
		return o.Spec.Dependencies
	case *v1alpha1.Job:
		var ids []string
		for _, d := range o.Spec.Dependencies {
			ids = append(ids, d.ID)
		}
		return ids
	}
	return nil
}

func jobLabelOf(obj client.Object) []string { return []string{obj.GetLabels()[v1alpha1.JobLabel]} }

func jobNameOf(obj client.Object) []string {
	if run, is := obj.(*v1alpha1.JobRun); is {
		return []string{run.Spec.JobName}
	}
	return nil
}

func externalVolumesOf(obj client.Object) []string {
	if app, is := obj.(*v1alpha1.App); is {
		return workload.ExternalVolumes(&app.Spec)
	}
	return nil
}

// vipKeysOf are the keys of the VIPs that an App asks for.
func vipKeysOf(obj client.Object) []string {
	app, is := obj.(*v1alpha1.App)
	if !is {
		return nil
	}
	var keys []string
	asked, _ := app.Spec.VIPs()
	for _, v := range asked {
		keys = append(keys, v.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func keyOf(obj client.Object) []string {
	if v, is := obj.(*v1alpha1.VirtualIP); is {
		if key, err := v.Spec.Key(); err == nil {
			return []string{key}
		}
	}
	return nil
}

// labelOf is the value of VirtualIPLabel that a slice has, or that those of a
// VirtualIP have.
func labelOf(obj client.Object) []string {
	if _, is := obj.(*v1alpha1.VirtualIP); is {
		return []string{v1alpha1.VirtualIPLabelValue(obj.GetName())}
	}
	return []string{obj.GetLabels()[v1alpha1.VirtualIPLabel]}
}

func dnsLabelOf(obj client.Object, ids pathid.Mapping) []string {
	id, err := ids.ID(obj.GetNamespace(), obj.GetName(), obj.GetAnnotations()[v1alpha1.IDAnnotation])
	if err != nil {
		return nil
	}
	return []string{v1alpha1.DNSLabel(pathid.Reversed(id))}
}

// WithVIP selects the Apps that ask for a VIP of a key, and the VirtualIPs of it.
func WithVIP(key string) client.ListOption { return client.MatchingFields{vipKey: key} }

// WithVirtualIPLabel selects the VirtualIPs of a value of VirtualIPLabel, and the
// slices of endpoints behind them.
func WithVirtualIPLabel(value string) client.ListOption {
	return client.MatchingFields{vipLabel: value}
}

// WithDNSLabel selects the Apps whose tasks are found by a DNS label.
func WithDNSLabel(label string) client.ListOption { return client.MatchingFields{dnsLabel: label} }

// WithExternalVolume selects the Apps that have the external volume of a name.
func WithExternalVolume(name string) client.ListOption { return client.MatchingFields{external: name} }

// RunsOf selects the runs of the Jobs of a name.
func RunsOf(job string) client.ListOption { return client.MatchingFields{jobName: job} }

// OfJob selects the Jobs of batch/v1 with a value of JobLabel.
func OfJob(value string) client.ListOption { return client.MatchingFields{jobName: value} }

// DependingOn selects the Apps that name the path, or the Jobs that name the id,
// among their dependencies.
func DependingOn(path string) client.ListOption { return client.MatchingFields{dependency: path} }

// WithMatches selects the Apps and Jobs that have matches, and the pods that ask for
// labels of such.
func WithMatches() client.ListOption { return client.MatchingFields{matches: "true"} }

// ControlledBy selects the pods, claims, budgets or Jobs of batch/v1 that owner controls.
func ControlledBy(owner client.Object) client.ListOption {
	return client.MatchingFields{controllerUID: string(owner.GetUID())}
}

// Uncontrolled selects the pod disruption budgets that somebody made by hand.
func Uncontrolled() client.ListOption { return client.MatchingFields{uncontrolled: "true"} }

// OnNode selects the pods on a node.
func OnNode(name string) client.ListOption { return client.MatchingFields{nodeName: name} }

// UnreachableNodes selects the nodes that do not answer.
func UnreachableNodes() client.ListOption { return client.MatchingFields{unreachable: "true"} }

// LeavingNodes selects the nodes that are being emptied.
func LeavingNodes() client.ListOption { return client.MatchingFields{leaving: "true"} }

// PerNode selects the Apps that run one task on every node.
func PerNode() client.ListOption { return client.MatchingFields{perNode: "true"} }

// WithServicePort selects the Apps that have a service port.
func WithServicePort(port int32) client.ListOption {
	return client.MatchingFields{servicePort: strconv.Itoa(int(port))}
}
