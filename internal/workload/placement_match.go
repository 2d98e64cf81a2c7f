// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Match is what a constraint asks of a node by itself, whatever else runs
// there: LIKE, UNLIKE, IS, and CLUSTER with a value, which asks the same as IS.
type Match struct {
	field    field
	operator v1alpha1.ConstraintOperator
	value    string
	// expression is the value of LIKE and UNLIKE.
	expression *regexp.Regexp
}

// byItself says that a constraint is a match.
func byItself(c *v1alpha1.Constraint) bool {
	switch c.Operator {
	case v1alpha1.ConstraintLike, v1alpha1.ConstraintUnlike, v1alpha1.ConstraintIs:
		return true
	case v1alpha1.ConstraintCluster:
		return ptr.Deref(c.Value, "") != ""
	case v1alpha1.ConstraintUnique, v1alpha1.ConstraintGroupBy, v1alpha1.ConstraintMaxPer:
	}
	return false
}

// matchOf is the match that a constraint asks for.
func matchOf(f field, c *v1alpha1.Constraint) (Match, error) {
	m := Match{field: f, operator: c.Operator, value: ptr.Deref(c.Value, "")}
	if m.operator != v1alpha1.ConstraintLike && m.operator != v1alpha1.ConstraintUnlike {
		m.operator, m.value = v1alpha1.ConstraintIs, f.canonical(m.value)
		return m, nil
	}
	if m.value == "" {
		return m, fmt.Errorf("value: %s needs a regular expression: Marathon let an empty one match nothing", c.Operator)
	}
	var err error
	if m.expression, err = compile(m.value); err != nil {
		return m, fmt.Errorf("value: %w", err)
	}
	return m, nil
}

// MatchesOf are the matches of an App or a Job.
func MatchesOf(obj any) []Match {
	switch o := obj.(type) {
	case *v1alpha1.App:
		return Matches(&o.Spec)
	case *v1alpha1.Job:
		return Matches(&v1alpha1.AppSpec{Constraints: RunConstraints(&o.Spec.Run)})
	}
	return nil
}

// Matches are the matches of an App that are asked for by their labels, which
// somebody has to put on the nodes. Constraints that are wrong have none.
func Matches(spec *v1alpha1.AppSpec) []Match {
	var all []Match
	for i := range spec.Constraints {
		c := &spec.Constraints[i]
		if !byItself(c) {
			continue
		}
		f, err := fieldOf(c.Field)
		if err != nil {
			continue
		}
		if m, err := matchOf(f, c); err == nil && !m.plain() {
			all = append(all, m)
		}
	}
	return all
}

// plain says that a label selector can ask for it. UNLIKE it never is: nodes
// without the field are meant, but not those that nobody has looked at yet.
func (m Match) plain() bool {
	literal := m.operator == v1alpha1.ConstraintIs || m.operator == v1alpha1.ConstraintLike && regexp.QuoteMeta(m.value) == m.value
	return literal && m.field.selectable(m.value)
}

// Label is the key of the label of nodes that match.
func (m Match) Label() string {
	sum := sha256.Sum256([]byte(string(m.operator) + " " + m.field.key + " " + m.value))
	// Who makes up constraints must not find two with one label.
	return v1alpha1.NodeMatchPrefix + hex.EncodeToString(sum[:16])
}

// Accepts says whether a node matches. As in Marathon, a node without the
// field matches UNLIKE only.
func (m Match) Accepts(node *corev1.Node) bool {
	values := m.field.values(node)
	if m.operator == v1alpha1.ConstraintIs {
		return slices.Contains(values, m.value)
	}
	return slices.ContainsFunc(values, m.expression.MatchString) == (m.operator == v1alpha1.ConstraintLike)
}

// MatchLabels are the keys of the labels of matches that a pod asks for.
func MatchLabels(affinity *corev1.Affinity) []string {
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	var all []string
	for _, term := range affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, r := range term.MatchExpressions {
			if strings.HasPrefix(r.Key, v1alpha1.NodeMatchPrefix) {
				all = append(all, r.Key)
			}
		}
	}
	return all
}
