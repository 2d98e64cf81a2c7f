// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// The label of an App that says whether it may use nodes with GPUs without
// asking for any, and its values.
const (
	gpuSchedulingLabel = "GPU_SCHEDULING_BEHAVIOR"
	gpuRestricted      = "restricted"
	gpuUnrestricted    = "unrestricted"
)

// CheckPlacement returns what is wrong with what an App says about where it
// runs: the field, and what is allowed.
func CheckPlacement(app *v1alpha1.App) error {
	_, err := place(app, Settings{}, "", 0)
	return err
}

// GroupByField is the key of the node label by whose values the first
// constraint GROUP_BY spreads the instances of an App.
func GroupByField(spec *v1alpha1.AppSpec) (key string, ok bool) {
	for i := range spec.Constraints {
		if spec.Constraints[i].Operator == v1alpha1.ConstraintGroupBy {
			f, err := fieldOf(spec.Constraints[i].Field)
			return f.key, err == nil
		}
	}
	return "", false
}

// Groups is how many groups the slots of an App are dealt to in turn, by a
// constraint GROUP_BY with a number; 1 without.
func Groups(spec *v1alpha1.AppSpec) int {
	for i := range spec.Constraints {
		c := &spec.Constraints[i]
		if c.Operator == v1alpha1.ConstraintGroupBy && ptr.Deref(c.Value, "") != "" {
			n, _ := atLeastOne(c)
			return max(n, 1)
		}
	}
	return 1
}

// placement is where the pod of a slot may run, as Kubernetes' scheduler takes
// it. Only pods of the same configuration count, as in Marathon: old instances
// never stand in the way of new ones.
type placement struct {
	// same selects the pods of the same App and configuration.
	same map[string]string
	// slot is the number of the instance.
	slot int
	// groups is Groups.
	groups int

	nodes           []corev1ac.NodeSelectorRequirementApplyConfiguration
	together, apart []*corev1ac.PodAffinityTermApplyConfiguration
	spread          []*corev1ac.TopologySpreadConstraintApplyConfiguration
	labels          map[string]string
}

func place(app *v1alpha1.App, settings Settings, config string, slot int) (*placement, error) {
	switch behaviour := app.Spec.Labels[gpuSchedulingLabel]; behaviour {
	case "", gpuRestricted, gpuUnrestricted:
	default:
		return nil, fmt.Errorf("spec.labels[%s]: %q is neither %s nor %s", gpuSchedulingLabel, behaviour, gpuRestricted, gpuUnrestricted)
	}
	p := &placement{same: map[string]string{v1alpha1.AppLabel: labelValue(app.Name), v1alpha1.ConfigLabel: config}, slot: slot, groups: Groups(&app.Spec), labels: map[string]string{}}
	if err := oneAffinity(app.Spec.Constraints); err != nil {
		return nil, err
	}
	atHome := settings.HomeRegion != ""
	for i := range app.Spec.Constraints {
		f, err := p.add(&app.Spec.Constraints[i])
		if err != nil {
			return nil, fmt.Errorf("spec.constraints[%d].%w", i, err)
		}
		if f.key == corev1.LabelTopologyRegion || f.key == corev1.LabelTopologyZone {
			atHome = false
		}
	}
	if app.Spec.RunsPerNode() {
		p.onePerNode()
	}
	if atHome {
		p.node(corev1.LabelTopologyRegion, corev1.NodeSelectorOpIn, settings.HomeRegion)
	}
	if ptr.Deref(app.Spec.Instances, 1) > 1 && len(p.together)+len(p.apart)+len(p.spread) == 0 {
		p.rather(corev1.LabelHostname)
	}
	return p, nil
}

// oneAffinity refuses constraints that need pods of the App beside pods of the
// App in two ways. The scheduler lets the first of such pods go anywhere, and
// for it the first is one for which no pod fits all of its affinities.
func oneAffinity(constraints []v1alpha1.Constraint) error {
	first, groups := -1, ""
	for i := range constraints {
		c, n := &constraints[i], ptr.Deref(constraints[i].Value, "")
		switch {
		case c.Operator == v1alpha1.ConstraintCluster && n == "":
			n = "1"
		case c.Operator == v1alpha1.ConstraintGroupBy && n != "":
		default:
			continue
		}
		if first >= 0 && n != groups {
			return fmt.Errorf("spec.constraints[%d].operator: %s does not go with the %s of constraint %d: "+
				"Kubernetes' scheduler can't promise both. CLUSTER with a value, GROUP_BY without a number and MAX_PER go with any",
				i, c.Operator, constraints[first].Operator, first)
		}
		if first < 0 {
			first, groups = i, n
		}
	}
	return nil
}

// add adds a constraint.
func (p *placement) add(c *v1alpha1.Constraint) (field, error) {
	f, err := fieldOf(c.Field)
	if err != nil {
		return f, err
	}
	valued := ptr.Deref(c.Value, "") != ""
	switch {
	case byItself(c):
		return f, p.match(f, c)
	case c.Operator == v1alpha1.ConstraintMaxPer:
		return f, p.maxPer(f, c)
	case c.Operator == v1alpha1.ConstraintGroupBy && valued:
		return f, p.groupBy(f, c)
	}
	p.exists(f)
	switch c.Operator {
	case v1alpha1.ConstraintUnique:
		p.apart = append(p.apart, p.term(f, nil))
	case v1alpha1.ConstraintCluster:
		p.together = append(p.together, p.term(f, nil))
	case v1alpha1.ConstraintGroupBy:
		p.evenly(f)
	case v1alpha1.ConstraintMaxPer, v1alpha1.ConstraintLike, v1alpha1.ConstraintUnlike, v1alpha1.ConstraintIs:
	}
	return f, nil
}

// onePerNode keeps the pods apart, whatever constraints say.
func (p *placement) onePerNode() {
	apart := p.term(field{key: corev1.LabelHostname}, nil)
	if !slices.ContainsFunc(p.apart, func(x *corev1ac.PodAffinityTermApplyConfiguration) bool { return reflect.DeepEqual(x, apart) }) {
		p.apart = append(p.apart, apart)
	}
}

// maxPer lets k pods be where the field has the same value. The scheduler can't
// count, but it can keep pods apart: the pods are dealt to k lanes, and those of
// one lane never meet.
func (p *placement) maxPer(f field, c *v1alpha1.Constraint) error {
	k, err := atLeastOne(c)
	if err != nil {
		return err
	}
	p.exists(f)
	if k == 1 {
		p.apart = append(p.apart, p.term(f, nil))
		return nil
	}
	// Each group has pods of every lane.
	lane := strconv.Itoa(p.slot / p.groups % k)
	label := v1alpha1.LaneLabelPrefix + strconv.Itoa(k)
	p.labels[label] = lane
	p.apart = append(p.apart, p.term(f, metav1ac.LabelSelectorRequirement().
		WithKey(label).WithOperator(metav1.LabelSelectorOpIn).WithValues(lane)))
	return nil
}

// groupBy lets pods be at n values of the field at most, as many at one as at
// the other: Marathon 1.11's quota. The pods are dealt to n groups; each keeps
// together, and away from the others.
func (p *placement) groupBy(f field, c *v1alpha1.Constraint) error {
	n, err := atLeastOne(c)
	if err != nil {
		return err
	}
	p.exists(f)
	if n == 1 {
		p.together = append(p.together, p.term(f, nil))
		return nil
	}
	group := strconv.Itoa(p.slot % n)
	p.labels[v1alpha1.GroupLabel] = group
	in := metav1ac.LabelSelectorRequirement().WithKey(v1alpha1.GroupLabel).WithValues(group)
	notIn := *in
	p.together = append(p.together, p.term(f, in.WithOperator(metav1.LabelSelectorOpIn)))
	p.apart = append(p.apart, p.term(f, notIn.WithOperator(metav1.LabelSelectorOpNotIn)))
	return nil
}

// evenly spreads the pods over all values of the field.
func (p *placement) evenly(f field) {
	for _, s := range p.spread {
		if *s.TopologyKey == f.key {
			return
		}
	}
	p.spread = append(p.spread, corev1ac.TopologySpreadConstraint().
		WithTopologyKey(f.key).
		WithMaxSkew(1).
		WithWhenUnsatisfiable(corev1.DoNotSchedule).
		WithNodeAffinityPolicy(corev1.NodeInclusionPolicyHonor).
		WithNodeTaintsPolicy(corev1.NodeInclusionPolicyHonor).
		WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(p.same)))
}

// rather spreads the pods over all values of the key as well as can be, and
// lets none wait for it: what the scheduler does for the pods of a Deployment by
// itself, so that no node takes all instances with it.
func (p *placement) rather(key string) {
	p.spread = append(p.spread, corev1ac.TopologySpreadConstraint().
		WithTopologyKey(key).
		WithMaxSkew(1).
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(p.same)))
}

// match asks for a value of the field: by the node's label where the scheduler
// can, and so autoscalers too, or else by the label of nodes that match.
func (p *placement) match(f field, c *v1alpha1.Constraint) error {
	m, err := matchOf(f, c)
	if err != nil {
		return err
	}
	if m.plain() {
		p.node(f.key, corev1.NodeSelectorOpIn, m.value)
		return nil
	}
	p.node(m.Label(), corev1.NodeSelectorOpExists)
	return nil
}

// exists keeps away from nodes without the field, which other terms ignore.
func (p *placement) exists(f field) { p.node(f.key, corev1.NodeSelectorOpExists) }

func (p *placement) node(key string, operator corev1.NodeSelectorOperator, values ...string) {
	r := *corev1ac.NodeSelectorRequirement().WithKey(key).WithOperator(operator).WithValues(values...)
	if !slices.ContainsFunc(p.nodes, func(x corev1ac.NodeSelectorRequirementApplyConfiguration) bool { return reflect.DeepEqual(x, r) }) {
		p.nodes = append(p.nodes, r)
	}
}

// term speaks of where pods of the same configuration are, those that meet the
// requirement if there is one.
func (p *placement) term(f field, which *metav1ac.LabelSelectorRequirementApplyConfiguration) *corev1ac.PodAffinityTermApplyConfiguration {
	selector := metav1ac.LabelSelector().WithMatchLabels(p.same)
	if which != nil {
		selector.WithMatchExpressions(which)
	}
	return corev1ac.PodAffinityTerm().WithTopologyKey(f.key).WithLabelSelector(selector)
}

// constrain writes the placement into the spec of the pod.
func (p *placement) constrain(spec *corev1ac.PodSpecApplyConfiguration) {
	spec.WithTopologySpreadConstraints(p.spread...)
	affinity := corev1ac.Affinity()
	if len(p.nodes) > 0 {
		term := corev1ac.NodeSelectorTerm()
		term.MatchExpressions = p.nodes
		affinity.WithNodeAffinity(corev1ac.NodeAffinity().
			WithRequiredDuringSchedulingIgnoredDuringExecution(corev1ac.NodeSelector().WithNodeSelectorTerms(term)))
	}
	if len(p.together) > 0 {
		affinity.WithPodAffinity(corev1ac.PodAffinity().WithRequiredDuringSchedulingIgnoredDuringExecution(p.together...))
	}
	if len(p.apart) > 0 {
		affinity.WithPodAntiAffinity(corev1ac.PodAntiAffinity().WithRequiredDuringSchedulingIgnoredDuringExecution(p.apart...))
	}
	if *affinity != (corev1ac.AffinityApplyConfiguration{}) {
		spec.WithAffinity(affinity)
	}
}

// atLeastOne is the number that a constraint has for its value.
func atLeastOne(c *v1alpha1.Constraint) (int, error) {
	value := ptr.Deref(c.Value, "")
	n, err := strconv.ParseInt(value, 10, 32)
	switch {
	case err != nil || n < 0:
		return 0, fmt.Errorf("value: %q is not a number, which %s needs", value, c.Operator)
	case n == 0 && c.Operator == v1alpha1.ConstraintMaxPer:
		return 0, fmt.Errorf("value: MAX_PER 0 lets no task run anywhere: the value is at least 1, and instances: 0 stops an app")
	case n == 0:
		return 0, fmt.Errorf("value: %s 0 has no meaning: the value is at least 1", c.Operator)
	}
	return int(n), nil
}
