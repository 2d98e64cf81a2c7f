// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"math"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// ToApp returns the App that a definition of Marathon stands for, in whatever
// form it was written. Where the definition says what is the default anyway,
// the App does not say it. The definition is not changed, and the App shares
// nothing with it. The error is an *Error with status 422.
func ToApp(app *App, opts Options) (*v1alpha1.App, error) {
	if app == nil {
		return nil, invalid("/", wantObject)
	}
	a, err := app.normalized(opts)
	if err != nil {
		return nil, err
	}
	namespace, name, annotate, err := opts.mapping().Name(a.ID)
	if err != nil {
		return nil, invalid("/id", err.Error())
	}
	out := &v1alpha1.App{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "App"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
	if annotate {
		out.Annotations = map[string]string{v1alpha1.IDAnnotation: a.ID}
	}
	a.spec().DeepCopyInto(&out.Spec)
	return out, nil
}

// spec returns the spec of an app in canonical form.
func (a *App) spec() *v1alpha1.AppSpec {
	s := &v1alpha1.AppSpec{
		Cmd:                        a.Cmd,
		Args:                       a.Args,
		Container:                  a.Container.spec(a.bridge()),
		User:                       a.User,
		Env:                        envSpec(a.Env),
		Instances:                  said(a.Instances, 1),
		Cpus:                       said(a.Cpus, 1),
		Mem:                        said(a.Mem, 128),
		Disk:                       said(a.Disk, 0),
		Gpus:                       said(a.Gpus, 0),
		ResourceLimits:             a.ResourceLimits.spec(),
		Executor:                   said(a.Executor, ""),
		Fetch:                      fetchSpec(a.Fetch),
		Labels:                     labelSpec(a.Labels),
		Constraints:                constraintSpec(a.Constraints),
		AcceptedResourceRoles:      a.AcceptedResourceRoles,
		Role:                       saidValue(*a.Role, v1alpha1.RolePublic),
		PortDefinitions:            portSpec(a.PortDefinitions),
		RequirePorts:               said(a.RequirePorts, false),
		Networks:                   networkSpec(a.Networks),
		Dependencies:               a.Dependencies,
		HealthChecks:               healthSpec(a.HealthChecks),
		Check:                      a.Check.spec(),
		ReadinessChecks:            readinessSpec(a.ReadinessChecks),
		UpgradeStrategy:            a.upgradeSpec(),
		KillSelection:              saidValue(a.KillSelection, v1alpha1.YoungestFirst),
		BackoffSeconds:             said(a.BackoffSeconds, 1),
		BackoffFactor:              said(a.BackoffFactor, 1.15),
		MaxLaunchDelaySeconds:      said(a.MaxLaunchDelaySeconds, 300),
		TaskKillGracePeriodSeconds: a.TaskKillGracePeriodSeconds,
		UnreachableStrategy:        a.unreachableSpec(),
		Secrets:                    secretSpec(a.Secrets),
		TTY:                        said(a.TTY, false),
		DrainSeconds:               a.DrainSeconds,
		PerNode:                    a.PerNode,
		Rollout:                    a.Rollout,
		Suspend:                    a.Suspend,
	}
	if r := a.ExecutorResources; r != nil {
		s.ExecutorResources = &v1alpha1.ExecutorResources{Cpus: said(r.Cpus, 0.1), Mem: said(r.Mem, 32), Disk: said(r.Disk, 10)}
	}
	return s
}

func (a *App) bridge() bool {
	return len(a.Networks) > 0 && a.Networks[0].Mode == v1alpha1.NetworkBridge
}

// said returns the value unless it is the default.
func said[T comparable](value *T, standard T) *T {
	if value == nil || *value == standard {
		return nil
	}
	return value
}

// saidValue is said for fields that are no pointers.
func saidValue[T comparable](value, standard T) T {
	var none T
	if value == standard {
		return none
	}
	return value
}

func envSpec(env map[string]EnvValue) []v1alpha1.EnvVar {
	var out []v1alpha1.EnvVar
	for _, name := range sortedKeys(env) {
		v := v1alpha1.EnvVar{Name: name, Secret: env[name].Secret}
		if v.Secret == nil {
			v.Value = ptr.To(env[name].Value)
		}
		out = append(out, v)
	}
	return out
}

func secretSpec(secrets map[string]SecretDef) []v1alpha1.Secret {
	var out []v1alpha1.Secret
	for _, name := range sortedKeys(secrets) {
		out = append(out, v1alpha1.Secret{Name: name, Source: secrets[name].Source})
	}
	return out
}

func labelSpec(labels map[string]string) map[string]v1alpha1.LabelValue {
	if len(labels) == 0 {
		return nil
	}
	out := make(map[string]v1alpha1.LabelValue, len(labels))
	for key, value := range labels {
		out[key] = v1alpha1.LabelValue(value)
	}
	return out
}

func (l *ResourceLimits) spec() *v1alpha1.ResourceLimits {
	if l == nil || l.Cpus == nil && l.Mem == nil {
		return nil
	}
	return &v1alpha1.ResourceLimits{Cpus: l.Cpus.spec(), Mem: l.Mem.spec()}
}

// spec writes a limit as the schema has it: a whole number, or a text with up
// to nine decimals, rounded up so that it does not fall below the request.
func (l *ResourceLimit) spec() *intstr.IntOrString {
	switch {
	case l == nil:
		return nil
	case l.Text != nil:
		return ptr.To(intstr.FromString(*l.Text))
	case l.Number <= math.MaxInt32 && (l.Number == math.Trunc(l.Number) || l.Number > 1e9):
		// Of so many, a fraction is nothing, and the text would be too long.
		return ptr.To(intstr.FromInt32(int32(math.Min(math.Ceil(l.Number), math.MaxInt32))))
	}
	s := strconv.FormatFloat(l.Number, 'f', -1, 64)
	if _, decimals, _ := strings.Cut(s, "."); len(decimals) > 9 {
		s = strconv.FormatFloat(math.Ceil(l.Number*1e9)/1e9, 'f', 9, 64)
	}
	return ptr.To(intstr.FromString(s))
}

func fetchSpec(files []Artifact) []v1alpha1.Fetch {
	var out []v1alpha1.Fetch
	for _, f := range files {
		out = append(out, v1alpha1.Fetch{
			URI:        f.URI,
			Extract:    said(f.Extract, true),
			Executable: said(f.Executable, false),
			Cache:      said(f.Cache, false),
			DestPath:   f.DestPath,
		})
	}
	return out
}

func operator(s string) v1alpha1.ConstraintOperator {
	return v1alpha1.ConstraintOperator(strings.ToUpper(s))
}

// constraintSpec turns triples into objects.
func constraintSpec(constraints [][]string) []v1alpha1.Constraint {
	var out []v1alpha1.Constraint
	for _, c := range constraints {
		constraint := v1alpha1.Constraint{Field: c[0], Operator: operator(c[1])}
		if len(c) == 3 {
			constraint.Value = ptr.To(c[2])
		}
		out = append(out, constraint)
	}
	return out
}

func portSpec(ports []PortDefinition) []v1alpha1.PortDefinition {
	if ports == nil || isDefaultPortDefinitions(ports) {
		return nil
	}
	out := make([]v1alpha1.PortDefinition, 0, len(ports))
	for _, d := range ports {
		out = append(out, v1alpha1.PortDefinition{
			Port:     said(d.Port, 0),
			Protocol: saidValue(d.Protocol, v1alpha1.ProtocolTCP),
			Name:     d.Name,
			Labels:   labelSpec(d.Labels),
		})
	}
	return out
}

func networkSpec(networks []Network) []v1alpha1.Network {
	if len(networks) == 1 && networks[0].Mode == v1alpha1.NetworkHost {
		return nil
	}
	var out []v1alpha1.Network
	for _, n := range networks {
		out = append(out, v1alpha1.Network{
			Mode:   saidValue(n.Mode, v1alpha1.NetworkContainer),
			Name:   n.Name,
			Labels: labelSpec(n.Labels),
		})
	}
	return out
}

// upgradeSpec is nil where the strategy is the one that follows from the volumes.
func (a *App) upgradeSpec() *v1alpha1.UpgradeStrategy {
	standard := UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1}
	if a.volumesThatStay() {
		standard = UpgradeStrategy{MinimumHealthCapacity: 0.5, MaximumOverCapacity: 0}
	}
	s := *a.UpgradeStrategy
	if s == standard {
		return nil
	}
	return &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: &s.MinimumHealthCapacity, MaximumOverCapacity: &s.MaximumOverCapacity}
}

// unreachableSpec is nil where the strategy is the one that follows from the volumes.
func (a *App) unreachableSpec() *v1alpha1.UnreachableStrategy {
	s := *a.UnreachableStrategy
	switch {
	case s == UnreachableStrategy{Disabled: a.resident()}:
		return nil
	case s.Disabled:
		return &v1alpha1.UnreachableStrategy{Disabled: ptr.To(true)}
	}
	return &v1alpha1.UnreachableStrategy{
		InactiveAfterSeconds: said(ptr.To(narrow(s.InactiveAfterSeconds)), 0),
		ExpungeAfterSeconds:  said(ptr.To(narrow(s.ExpungeAfterSeconds)), 0),
	}
}
