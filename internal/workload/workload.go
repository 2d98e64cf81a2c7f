// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package workload turns an App and one of its slots into the Pod that runs
// it, and an attempt of a JobRun into the Job of batch/v1, as apply
// configurations. It decides nothing about when and how many, it
// talks to nobody, and it never sees Marathon JSON.
//
// It takes specs after AppSpec.Default.
package workload

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// ContainerName is the name of the container that runs a task.
const ContainerName = v1alpha1.TaskContainer

// Slot is one instance to be.
type Slot struct {
	// Number of the instance within its configuration.
	Number int
	// Version of the App it is launched under, as in status.version.
	Version string
	// Returns says that its persistent volumes are on a node already, to which it
	// goes back.
	Returns bool
	// QueuedAt is the time, in RFC 3339, from which its place in the line for a quota
	// counts; "" where there is none.
	QueuedAt string
	// Config names the configuration; "" is what Config says. One that was
	// changed in place, or is back from a record, keeps its name.
	Config string
}

// Pod is the pod that runs a slot of the app.
func Pod(app *v1alpha1.App, settings Settings, slot Slot) (*corev1ac.PodApplyConfiguration, error) {
	config, raw, err := Config(app)
	if err != nil {
		return nil, err
	}
	config = cmp.Or(slot.Config, config)
	id, err := idOf(app, settings)
	if err != nil {
		return nil, err
	}
	made, err := newInstance(app, id, settings, slot, config, string(raw))
	if err != nil {
		return nil, err
	}
	made.spec.WithRestartPolicy(restartPolicy(&app.Spec)).
		WithReadinessGates(readinessGates(made.checks)...)
	annotations, err := annotations(app, slot, made.checks)
	if err != nil {
		return nil, err
	}
	if annotations[v1alpha1.DiscoveryAnnotation], err = discovery(id, made.tasks); err != nil {
		return nil, err
	}
	if slot.QueuedAt != "" {
		annotations[v1alpha1.QuotaQueuedAtAnnotation] = slot.QueuedAt
	}
	labels := Labels(app)
	labels[v1alpha1.ConfigLabel] = config
	labels[v1alpha1.SlotLabel] = fmt.Sprint(slot.Number)
	maps.Copy(labels, made.labels)
	return corev1ac.Pod(PodName(app, config, slot.Number), app.Namespace).
		WithLabels(labels).
		WithAnnotations(annotations).
		WithOwnerReferences(owner(app, "App")).
		WithSpec(made.spec), nil
}

// instance is what the pods of Apps and those of Jobs have in common.
type instance struct {
	spec   *corev1ac.PodSpecApplyConfiguration
	tasks  []task
	checks []TaskCheck
	// labels are those that placement and virtual IPs go by.
	labels map[string]string
}

func newInstance(app *v1alpha1.App, id string, settings Settings, slot Slot, config, raw string) (*instance, error) {
	tasks, err := tasksOf(app, settings, config, slot.Number, raw)
	if err != nil {
		return nil, err
	}
	where, err := place(app, settings, config, slot.Number)
	if err != nil {
		return nil, err
	}
	made := &instance{spec: corev1ac.PodSpec(), tasks: tasks, labels: maps.Clone(where.labels)}
	for i := range tasks {
		tasks[i].id = id
		checks, err := tasks[i].addTo(made.spec, settings, slot)
		if err != nil {
			return nil, err
		}
		made.checks = append(made.checks, checks...)
		maps.Copy(made.labels, vipLabels(tasks[i].ports))
	}
	addVolumes(made.spec, app, slot.Number)
	made.spec.WithTerminationGracePeriodSeconds(gracePeriod(&app.Spec)).
		WithEnableServiceLinks(false).
		WithAutomountServiceAccountToken(false).
		WithTolerations(tolerations(&app.Spec, settings, slot.Returns)...)
	if selector := nodeSelector(&app.Spec); selector != nil {
		made.spec.WithNodeSelector(selector)
	}
	where.constrain(made.spec)
	if app.Spec.OnHostNetwork() {
		made.spec.WithHostNetwork(true)
	}
	addDNS(made.spec, app, settings)
	return made, nil
}

// idOf is the path id of an App.
func idOf(app *v1alpha1.App, settings Settings) (string, error) {
	id, err := pathid.Mapping{RootNamespace: settings.RootNamespace}.ID(app.Namespace, app.Name, app.Annotations[v1alpha1.IDAnnotation])
	if err != nil {
		return "", fmt.Errorf("metadata.annotations[%s]: %w", v1alpha1.IDAnnotation, err)
	}
	return id, nil
}

// carriers is in how many slots pods carry the App configuration. It is a tenth
// of such a pod, for everybody who watches pods; a few of thousands tell as much.
const carriers = 16

// Carries says that the pod in a slot carries the App configuration it was made
// from, in its SpecAnnotation. Free slots are filled from below.
func Carries(slot int) bool { return slot < carriers }

// CarrierSlots are the slots of which Carries is true, as values of SlotLabel.
func CarrierSlots() []string {
	var slots []string
	for slot := range carriers {
		slots = append(slots, strconv.Itoa(slot))
	}
	return slots
}

func annotations(app *v1alpha1.App, slot Slot, checks []TaskCheck) (map[string]string, error) {
	all := map[string]string{
		v1alpha1.VersionAnnotation: slot.Version,
		// The cluster autoscaler keeps nodes with pods of controllers it does not know.
		"cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
	}
	if Carries(slot.Number) {
		raw, err := json.Marshal(&app.Spec)
		if err != nil {
			return nil, fmt.Errorf("encode configuration: %w", err)
		}
		all[v1alpha1.SpecAnnotation] = string(raw)
	}
	if names := containersAnnotation(&app.Spec); names != "" {
		all[v1alpha1.ContainersAnnotation] = names
	}
	if id := app.Annotations[v1alpha1.IDAnnotation]; id != "" {
		all[v1alpha1.IDAnnotation] = id
	}
	if len(checks) > 0 {
		raw, err := json.Marshal(checks)
		if err != nil {
			return nil, fmt.Errorf("encode checks: %w", err)
		}
		all[v1alpha1.ChecksAnnotation] = string(raw)
	}
	return all, nil
}

// PodName is the name of the pod in a slot: a function of the App's uid, its
// configuration and the slot, so that making it twice makes it once. Where tasks
// have volumes to themselves it is one over all configurations: however old the
// view of who makes a pod, it does not get beside another that writes the same.
func PodName(app *v1alpha1.App, config string, slot int) string {
	if app.Spec.SingleWriter() {
		config = ""
	}
	return fmt.Sprintf("%s-%s-%d", slug(app.Name, 40), digest(string(app.UID), config), slot)
}

// Labels are the labels of everything an App owns; they select it.
func Labels(app *v1alpha1.App) map[string]string {
	return map[string]string{
		v1alpha1.AppLabel:              labelValue(app.Name),
		"app.kubernetes.io/managed-by": "kdcos",
	}
}

// Selector selects the pods of an App.
func Selector(app *v1alpha1.App) string {
	return v1alpha1.AppLabel + "=" + labelValue(app.Name)
}

// Config is what a pod is made from: the spec without the number of instances,
// as JSON, and the hash that names it. Two Apps with the same hash run the same
// tasks: as in Marathon, instances and executorResources do not count, and a
// request to restart does. How it is rolled out does not count either. Fields that come later have no default in the schema:
// it would change the hash of every App, and restart it.
func Config(app *v1alpha1.App) (hash string, raw []byte, err error) {
	spec := app.Spec.DeepCopy()
	spec.Instances, spec.Suspend, spec.Rollout = nil, nil, nil
	if raw, err = json.Marshal(spec); err != nil {
		return "", nil, fmt.Errorf("encode configuration: %w", err)
	}
	named := raw
	if spec.ExecutorResources != nil || len(spec.Containers) > 0 {
		spec.ExecutorResources = nil
		if len(spec.Containers) > 0 {
			spec.KillSelection, spec.UnreachableStrategy = "", nil // nor do they, of a pod of Marathon's
		}
		if named, err = json.Marshal(spec); err != nil {
			return "", nil, fmt.Errorf("encode configuration: %w", err)
		}
	}
	return digest(string(named), app.Annotations[v1alpha1.RestartedAtAnnotation]), raw, nil
}

func owner(of metav1.Object, kind string) *metav1ac.OwnerReferenceApplyConfiguration {
	ref := metav1.NewControllerRef(of, v1alpha1.GroupVersion.WithKind(kind))
	return metav1ac.OwnerReference().
		WithAPIVersion(ref.APIVersion).WithKind(ref.Kind).WithName(ref.Name).WithUID(ref.UID).
		WithController(true).WithBlockOwnerDeletion(true)
}

// gracePeriod is the time between SIGTERM and SIGKILL. Kubernetes' 30 seconds
// would make every deployment feel slow to who comes from Mesos, where it is 3.
// Kubernetes counts what comes before SIGTERM, too.
func gracePeriod(spec *v1alpha1.AppSpec) int64 {
	return int64(killGracePeriod(spec)) + int64(ptr.Deref(spec.DrainSeconds, 0))
}

// tolerations are those for the roles of nodes the app accepts, for nodes with
// GPUs, and for lost nodes. An instance that returns to its volumes may use a node
// with GPUs, as in Marathon.
func tolerations(spec *v1alpha1.AppSpec, settings Settings, returns bool) []*corev1ac.TolerationApplyConfiguration {
	var all []*corev1ac.TolerationApplyConfiguration
	for _, role := range spec.AcceptedResourceRoles {
		if role != v1alpha1.RoleUnreserved {
			all = append(all, corev1ac.Toleration().WithKey(v1alpha1.NodeRoleTaint).
				WithOperator(corev1.TolerationOpEqual).WithValue(role).WithEffect(corev1.TaintEffectNoSchedule))
		}
	}
	if acceptsGPUNodes(spec) || returns {
		all = append(all, corev1ac.Toleration().WithKey(string(settings.gpuResource())).
			WithOperator(corev1.TolerationOpExists).WithEffect(corev1.TaintEffectNoSchedule))
	}
	return append(all, lostNodeTolerations(spec)...)
}

// notReadySeconds is Kubernetes' own patience with a node that answers, but is
// not ready: Mesos knew no such state, its tasks stayed.
const notReadySeconds = 300

// lostNodeTolerations let Kubernetes give up tasks when expungeAfterSeconds say
// so, with the manager down as well: a node that returns then stops them. That
// their successors start earlier is for the controller.
func lostNodeTolerations(spec *v1alpha1.AppSpec) []*corev1ac.TolerationApplyConfiguration {
	unreachable := corev1ac.Toleration().WithKey(corev1.TaintNodeUnreachable).
		WithOperator(corev1.TolerationOpExists).WithEffect(corev1.TaintEffectNoExecute)
	notReady := corev1ac.Toleration().WithKey(corev1.TaintNodeNotReady).
		WithOperator(corev1.TolerationOpExists).WithEffect(corev1.TaintEffectNoExecute)
	if _, expunge, waits := spec.Unreachable(); !waits {
		unreachable.WithTolerationSeconds(int64(expunge.Seconds()))
		notReady.WithTolerationSeconds(max(notReadySeconds, int64(expunge.Seconds())))
	}
	return []*corev1ac.TolerationApplyConfiguration{unreachable, notReady}
}

// nodeSelector keeps an app that accepts one reserved role only on nodes of it.
func nodeSelector(spec *v1alpha1.AppSpec) map[string]string {
	if len(spec.AcceptedResourceRoles) != 1 || spec.AcceptedResourceRoles[0] == v1alpha1.RoleUnreserved {
		return nil
	}
	return map[string]string{v1alpha1.NodeRoleLabel: spec.AcceptedResourceRoles[0]}
}

// digest is a short name for what it is given.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:10]
}

// slug makes a DNS label of a name that is a DNS subdomain.
func slug(name string, length int) string {
	s := strings.ReplaceAll(name, ".", "-")
	if len(s) > length {
		s = s[:length]
	}
	return strings.Trim(s, "-")
}

// labelValue is a name where it fits into a label, or a short form of it with a hash.
func labelValue(name string) string {
	if len(name) <= 63 {
		return name
	}
	return slug(name, 52) + "-" + digest(name)
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
