// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// Scenario is a file of the directory scenarios: what is made on both sides and
// what of it is measured.
type Scenario struct {
	// Name is that of the file.
	Name string `json:"-"`
	// Title says what is compared.
	Title string `json:"title"`
	// N is how many objects are made, or how many instances one object has; -n replaces it.
	// (YAML takes n for a truth value.)
	N int `json:"size"`
	// Single says that there is one object, of N instances; otherwise there are N objects.
	Single bool `json:"single,omitempty"`
	// PerNamespace is how many objects a namespace holds.
	PerNamespace int `json:"perNamespace"`
	// Nodes is the number of simulated nodes, each for 110 pods.
	Nodes int `json:"nodes"`
	// Variants run on clusters of their own.
	Variants []Variant `json:"variants"`
	// Phases follow each other on one cluster. The first makes the objects.
	Phases []Phase `json:"phases"`
	// Rest is how long to look for writes when all is done; nothing without it.
	Rest metav1.Duration `json:"rest,omitzero"`
}

// Variant is one pair of sides.
type Variant struct {
	// As is the block of the result that it fills; empty is the top.
	As string `json:"as,omitempty"`
	// Ours and Twin are templates of manifests: {{.Name}}, {{.Namespace}} and
	// {{.N}} are filled in, and in Twin {{.Pod}}: the spec of the pod that the
	// App or Job of Ours runs. The first object of each is the one to wait for.
	Ours string `json:"ours"`
	Twin string `json:"twin"`
}

// Phase is a stretch of work that is measured.
type Phase struct {
	// As is the block of the result that it fills; empty is that of the variant.
	As string `json:"as,omitempty"`
	// Ours and Twin are merge patches of the objects; without them the objects are made.
	Ours string `json:"ours,omitempty"`
	Twin string `json:"twin,omitempty"`
	// Timeout is when to give up.
	Timeout metav1.Duration `json:"timeout,omitzero"`
	// Minutes is how long to let schedules of one tick a minute fire, in place of
	// waiting for the objects; -minutes replaces it.
	Minutes int `json:"minutes,omitempty"`
}

// loadScenario reads a scenario by its name.
func loadScenario(root, name string) (*Scenario, error) {
	raw, err := os.ReadFile(filepath.Join(root, "test", "scale", "scenarios", name+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	s := &Scenario{Name: name}
	if err := yaml.UnmarshalStrict(raw, s); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	if s.N < 1 || s.PerNamespace < 1 || s.Nodes < 1 || len(s.Variants) == 0 || len(s.Phases) == 0 {
		return nil, fmt.Errorf("scenario %s: size, perNamespace, nodes, variants and phases are needed", name)
	}
	if s.ticks() && (len(s.Phases) > 1 || s.Single || s.Rest.Duration > 0) {
		return nil, fmt.Errorf("scenario %s: a phase with minutes stands alone, and what it makes is many and never rests", name)
	}
	return s, nil
}

// scenarioNames are the scenarios there are.
func scenarioNames(root string) []string {
	files, _ := filepath.Glob(filepath.Join(root, "test", "scale", "scenarios", "*.yaml"))
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	return names
}

// objects is how many objects there are to wait for.
func (s *Scenario) objects() int {
	if s.Single {
		return 1
	}
	return s.N
}

// ticks says that the objects have schedules, which are left to fire.
func (s *Scenario) ticks() bool { return s.Phases[0].Minutes > 0 }

// units is how many times that is done in a phase what its figures are for: an
// object or instance, or a tick of one.
func (s *Scenario) units(phase int) int { return s.N * max(s.Phases[phase].Minutes, 1) }

// namespaces are the names of the namespaces that hold the objects.
func (s *Scenario) namespaces() []string {
	var names []string
	for i := range (s.objects() + s.PerNamespace - 1) / s.PerNamespace {
		names = append(names, fmt.Sprintf("scale-%d", i+1))
	}
	return names
}

// key is the block of the result for a variant and a phase.
func key(v *Variant, p *Phase) string {
	return strings.Trim(v.As+"."+p.As, ".")
}

// patience is how long a phase may take.
func (p *Phase) patience() time.Duration {
	if p.Timeout.Duration == 0 {
		return 10 * time.Minute
	}
	return p.Timeout.Duration
}

// made is one of the N: the object to wait for and what goes with it.
type made []client.Object

// manifests fills the template of a side in for each of the N.
func (s *Scenario) manifests(v *Variant, ours bool, scheme *runtime.Scheme) ([]made, error) {
	text := v.Ours
	if !ours {
		text = v.Twin
	}
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	namespaces := s.namespaces()
	all := make([]made, 0, s.objects())
	for i := range s.objects() {
		values := map[string]any{"Name": fmt.Sprintf("app-%d", i+1), "Namespace": namespaces[i/s.PerNamespace], "N": s.N}
		if !ours {
			app, err := fill(v.Ours, values, decoder)
			if err != nil {
				return nil, err
			}
			if values["Pod"], err = podSpec(app[0]); err != nil {
				return nil, err
			}
		}
		one, err := fill(text, values, decoder)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// fill fills a template in.
func fill(text string, values map[string]any, decoder runtime.Decoder) (made, error) {
	tmpl, err := template.New("manifest").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, values); err != nil {
		return nil, fmt.Errorf("fill in template: %w", err)
	}
	var one made
	for doc := range strings.SplitSeq(out.String(), "\n---\n") {
		obj, _, err := decoder.Decode([]byte(doc), nil, nil)
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		object, ok := obj.(client.Object)
		if !ok {
			return nil, fmt.Errorf("read manifest: %T is no object", obj)
		}
		one = append(one, object)
	}
	return one, nil
}

// podSpec is the spec of the pod of an App or a Job as JSON, less the spreading over
// nodes: the scheduler does that by itself for a Deployment.
func podSpec(object client.Object) (string, error) {
	var spec *corev1ac.PodSpecApplyConfiguration
	switch o := object.(type) {
	case *v1alpha1.App:
		o.Spec.Default()
		pod, err := workload.Pod(o, workload.DefaultSettings(), workload.Slot{Version: "2026-01-01T00:00:00.000Z"})
		if err != nil {
			return "", err
		}
		spec = pod.Spec
	case *v1alpha1.Job:
		run := workload.NewRun(o, v1alpha1.Trigger{Type: v1alpha1.TriggerManual}, time.Unix(0, 0))
		attempt, err := workload.AttemptJob(run, workload.DefaultSettings(), 1)
		if err != nil {
			return "", err
		}
		spec = attempt.Spec.Template.Spec
	default:
		return "", fmt.Errorf("the first object of ours is a %T, not an App or a Job", object)
	}
	spec.TopologySpreadConstraints = nil
	raw, err := json.Marshal(spec)
	return string(raw), err
}
