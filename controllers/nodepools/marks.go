// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// applied is what pools have set on a node: keys of labels, and of taints with
// their effects, each with the value that it had before, nil where there was none.
// By it all can be taken back, whatever became of the pool.
type applied struct {
	Labels map[string]*string `json:"labels,omitempty"`
	Taints map[string]*string `json:"taints,omitempty"`
}

// readApplied reads what pools have set on a node. A kubelet could write the
// annotation and so have us give its node any label, but it can't set the label
// with its hash: without that, nothing is known.
func readApplied(node *corev1.Node) (a applied, known bool) {
	text := node.Annotations[v1alpha1.NodePoolAppliedAnnotation]
	if text == "" || node.Labels[v1alpha1.NodePoolAppliedLabel] != seal(text) || json.Unmarshal([]byte(text), &a) != nil {
		return applied{}, false
	}
	for name := range a.Taints {
		if t := taintOf(name, ""); t.Key == "" || !slices.Contains(effects, t.Effect) {
			return applied{}, false
		}
	}
	return a, true
}

// write writes it on a node.
func (a applied) write(node *corev1.Node) {
	delete(node.Annotations, v1alpha1.NodePoolAppliedAnnotation)
	delete(node.Labels, v1alpha1.NodePoolAppliedLabel)
	if len(a.Labels)+len(a.Taints) == 0 {
		return
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return // strings only
	}
	metav1.SetMetaDataAnnotation(&node.ObjectMeta, v1alpha1.NodePoolAppliedAnnotation, string(raw))
	metav1.SetMetaDataLabel(&node.ObjectMeta, v1alpha1.NodePoolAppliedLabel, seal(string(raw)))
}

// seal is a hash of a text that fits into a label.
func seal(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

var effects = []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}

// taintKey names a taint within a node: there is one of each key and effect.
func taintKey(key string, effect corev1.TaintEffect) string { return key + ":" + string(effect) }

// taintOf is the taint of a name and a value.
func taintOf(name, value string) corev1.Taint {
	i := strings.LastIndex(name, ":")
	return corev1.Taint{Key: name[:max(i, 0)], Effect: corev1.TaintEffect(name[i+1:]), Value: value}
}

// ownLabels are the labels that a node has when no pool has a say. Only they
// count for selectors: a pool can't lose its nodes, or win others, by what it sets.
func ownLabels(node *corev1.Node) labels.Set {
	a, _ := readApplied(node)
	if len(a.Labels) == 0 {
		return node.Labels
	}
	own := maps.Clone(node.Labels)
	for key, was := range a.Labels {
		put(own, key, was)
	}
	return own
}

// put sets a value, or removes it where it is nil.
func put(all map[string]string, key string, value *string) {
	if value == nil {
		delete(all, key)
	} else {
		all[key] = *value
	}
}

// selects says that a pool asks for the node with these labels.
func selects(pool *v1alpha1.NodePool, own labels.Set) bool {
	switch p := pool.Spec.Provisioner; {
	case p == nil:
		for key, value := range pool.Spec.Selector {
			if has, there := own[key]; !there || has != string(value) {
				return false
			}
		}
		return len(pool.Spec.Selector) > 0
	case p.Karpenter != nil:
		return own[v1alpha1.KarpenterNodePoolLabel] == pool.Name
	}
	return own[v1alpha1.ClusterAPINodePoolLabel] == pool.Name
}

// byAge sorts pools, the oldest first, and leaves out those that are being deleted.
func byAge(pools []v1alpha1.NodePool) []*v1alpha1.NodePool {
	var all []*v1alpha1.NodePool
	for i := range pools {
		if pools[i].DeletionTimestamp.IsZero() {
			all = append(all, &pools[i])
		}
	}
	slices.SortFunc(all, func(a, b *v1alpha1.NodePool) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return all
}

// poolsOf are the pools that ask for a node. The first one, the oldest, has it.
func poolsOf(node *corev1.Node, pools []*v1alpha1.NodePool) []*v1alpha1.NodePool {
	own := ownLabels(node)
	var all []*v1alpha1.NodePool
	for _, pool := range pools {
		if selects(pool, own) {
			all = append(all, pool)
		}
	}
	return all
}

// marks are what a pool wants of a node: labels and taints by their names. Those
// that are nil the node is not to have.
type marks struct{ labels, taints map[string]*string }

// marksOf are the marks of a pool on its nodes, but for those that depend on what
// a node has.
func marksOf(pool *v1alpha1.NodePool) marks {
	spec := &pool.Spec
	m := marks{labels: map[string]*string{}, taints: map[string]*string{}}
	role := taintKey(v1alpha1.NodeRoleTaint, corev1.TaintEffectNoSchedule)
	m.labels[v1alpha1.NodeRoleLabel], m.taints[role] = nil, nil
	if spec.Role != "" && spec.Role != v1alpha1.RoleUnreserved {
		m.labels[v1alpha1.NodeRoleLabel], m.taints[role] = &spec.Role, &spec.Role
	}
	m.labels[v1alpha1.NodePoolLabel] = &pool.Name
	for key, value := range spec.Labels {
		m.labels[key] = ptr.To(string(value))
	}
	for name, value := range spec.Attributes {
		m.labels[v1alpha1.NodeAttributePrefix+name] = ptr.To(string(value))
	}
	if d := spec.FaultDomain; d != nil {
		for key, value := range map[string]string{corev1.LabelTopologyRegion: d.Region, corev1.LabelTopologyZone: d.Zone} {
			if value != "" {
				m.labels[key] = &value
			}
		}
	}
	for key, value := range spec.Selector {
		// What chose the node is its own: it leaves the pool when somebody removes it.
		if wanted := m.labels[key]; wanted != nil && *wanted == string(value) {
			delete(m.labels, key)
		}
	}
	for _, t := range spec.Taints {
		m.taints[taintKey(t.Key, t.Effect)] = &t.Value
	}
	return m
}

// gpuResources are the names of the resources that count the GPUs of a pool.
func gpuResources(pool *v1alpha1.NodePool, operators string) []string {
	if pool.Spec.GPU == nil || len(pool.Spec.GPU.Resources) == 0 {
		return []string{operators}
	}
	var all []string
	for _, r := range pool.Spec.GPU.Resources {
		all = append(all, r.Name)
	}
	return all
}

// restricted says that only pods with GPUs may use the nodes with GPUs.
func restricted(pool *v1alpha1.NodePool) bool {
	return pool.Spec.GPU == nil || pool.Spec.GPU.Scheduling != v1alpha1.GPUSchedulingUnrestricted
}

// restrict adds the taints of the GPUs that a node has. One stays when the node
// has none for a while, as when its device plugin restarts, and one that somebody
// else set will do.
func (m *marks) restrict(node *corev1.Node, pool *v1alpha1.NodePool, before applied, operators string) {
	if !restricted(pool) {
		return
	}
	for _, name := range gpuResources(pool, operators) {
		key := taintKey(name, corev1.TaintEffectNoSchedule)
		_, ours := before.Taints[key]
		there := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return taintKey(t.Key, t.Effect) == key })
		has := node.Status.Allocatable[corev1.ResourceName(name)]
		if _, asked := m.taints[key]; !asked && (ours || !there && !has.IsZero()) {
			m.taints[key] = ptr.To("")
		}
	}
}

// mark is the node as its pool wants it, or no pool where that is nil; nil if it
// is so already.
func mark(node *corev1.Node, pool *v1alpha1.NodePool, gpuResource string) *corev1.Node {
	before, known := readApplied(node)
	var want marks
	if pool != nil {
		want = marksOf(pool)
		if !known && node.Labels[v1alpha1.NodePoolLabel] == pool.Name {
			// Somebody took the record away: what is as we set it is ours.
			before = record(node, want, gpuResources(pool, gpuResource))
		}
		want.restrict(node, pool, before, gpuResource)
	}
	taints := map[string]string{}
	for _, t := range node.Spec.Taints {
		taints[taintKey(t.Key, t.Effect)] = t.Value
	}
	var now applied
	after := node.DeepCopy()
	after.Labels, now.Labels = settle(node.Labels, want.labels, before.Labels)
	taints, now.Taints = settle(taints, want.taints, before.Taints)
	after.Spec.Taints = withTaints(node.Spec.Taints, taints)
	now.write(after)
	if maps.Equal(node.Labels, after.Labels) && slices.Equal(node.Spec.Taints, after.Spec.Taints) &&
		node.Annotations[v1alpha1.NodePoolAppliedAnnotation] == after.Annotations[v1alpha1.NodePoolAppliedAnnotation] {
		return nil
	}
	return after
}

// settle sets what is wanted among values, gives back what is not wanted any
// more, and returns what is ours now.
func settle(values map[string]string, wanted, before map[string]*string) (after map[string]string, ours map[string]*string) {
	after, ours = maps.Clone(values), map[string]*string{}
	if after == nil {
		after = map[string]string{}
	}
	for key, was := range before {
		if _, still := wanted[key]; !still {
			put(after, key, was)
		}
	}
	for key, value := range wanted {
		was, known := before[key]
		if there, has := values[key]; !known && has {
			was = &there
		}
		if value != nil || was != nil {
			ours[key] = was
		}
		put(after, key, value)
	}
	return after, ours
}

// record is what a pool set on a node, as far as can be told from the node.
func record(node *corev1.Node, want marks, gpus []string) applied {
	a := applied{Labels: map[string]*string{}, Taints: map[string]*string{}}
	for key, value := range want.labels {
		if there, has := node.Labels[key]; value != nil && has && there == *value {
			a.Labels[key] = nil
		}
	}
	for _, t := range node.Spec.Taints {
		key := taintKey(t.Key, t.Effect)
		gpu := t.Effect == corev1.TaintEffectNoSchedule && slices.Contains(gpus, t.Key)
		if value := want.taints[key]; t.Value == ptr.Deref(value, "") && (value != nil || gpu) {
			a.Taints[key] = nil
		}
	}
	return a
}

// withTaints are the taints of these values: those that are there in their order,
// and new ones behind them.
func withTaints(there []corev1.Taint, values map[string]string) []corev1.Taint {
	var all []corev1.Taint
	left := maps.Clone(values)
	for _, t := range there {
		key := taintKey(t.Key, t.Effect)
		value, stays := left[key]
		switch {
		case stays && value == t.Value:
			all = append(all, t)
		case stays:
			all = append(all, taintOf(key, value))
		}
		delete(left, key)
	}
	for _, key := range slices.Sorted(maps.Keys(left)) {
		all = append(all, taintOf(key, left[key]))
	}
	return all
}
