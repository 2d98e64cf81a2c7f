// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/internal/testkit"
)

// scenario is a scripted life of Apps, from a file in scenarios.
type scenario struct {
	// name is that of the file.
	name string
	// Description says what is tried.
	Description string `json:"description"`
	// Quick takes it into the short form of the sweep.
	Quick bool `json:"quick,omitempty"`
	// Fresh keeps faults of the cache away: the end depends on what a manager
	// sees first, and an old state would be as good.
	Fresh bool `json:"fresh,omitempty"`
	// Steps are done one after the other.
	Steps []step `json:"steps"`
}

// step is one thing that is done, and what is waited for then.
type step struct {
	// Do is what is done.
	Do action `json:"do"`
	// App is the name of the App it is done to; web if empty.
	App string `json:"app,omitempty"`
	// Spec is the spec of create, and a merge patch of the spec for change.
	Spec map[string]any `json:"spec,omitempty"`
	// Slot is that of the pod it is about.
	Slot int `json:"slot,omitempty"`
	// Until is what is waited for; each action has its own default.
	Until until `json:"until,omitempty"`
}

// action is what a step does.
type action string

// The actions.
const (
	// create makes an App.
	create action = "create"
	// change changes its spec.
	change action = "change"
	// restart asks for a restart, as kubectl kdcos restart does.
	restart action = "restart"
	// rollback brings back the spec of the last recorded version.
	rollback action = "rollback"
	// remove deletes the App.
	remove action = "delete"
	// deletePod deletes the pod in a slot, as anybody might.
	deletePod action = "deletePod"
	// evictPod lets the pod in a slot fail for good, as an eviction does.
	evictPod action = "evictPod"
	// foreignPod makes a pod of somebody else under the name of a slot.
	foreignPod action = "foreignPod"
	// addNode makes the object of the node that the pods run on, with the attribute rack=a.
	addNode action = "addNode"
	// bindClaims gives the App's claims their volumes, of a class that lets them get larger.
	bindClaims action = "bindClaims"
	// disallow takes from the namespace the networks that its virtual IPs may use.
	disallow action = "disallow"
	// wipe deletes the claims and the pod in a slot.
	wipe action = "wipe"
	// history records 50 versions, as if the App were old.
	history action = "history"
	// stopManager and startManager leave the App alone for a while.
	stopManager  action = "stopManager"
	startManager action = "startManager"
)

// until is what a step waits for.
type until string

// What is waited for. A reason of a condition, such as NameConflict, serves,
// too, and so does failures=2: a launch delay of two failures or more.
const (
	// settled: the App is as asked for, and its pods are.
	settled until = "settled"
	// observed: the version has been taken on.
	observed until = "observed"
	// launched: all pods of the new configuration are there, the old ones perhaps, too.
	launched until = "launched"
	// populated: as many pods of the App run as it asks for, ready or not.
	populated until = "populated"
	// labelled: settled, and the node has labels of ours.
	labelled until = "labelled"
	// checked: settled, and all its pods have the result of its check.
	checked until = "checked"
	// served: settled, and all virtual IPs that Apps ask for have addresses, for all of them.
	served until = "served"
	// grown: settled, and its claims are as large as it asks for.
	grown until = "grown"
	// emptied: the App has no pods.
	emptied until = "emptied"
	// gone: the App and all that is its own are gone.
	gone until = "gone"
	// nothing is waited for.
	nothing until = "nothing"
)

var defaults = map[action]until{
	create: settled, change: settled, restart: settled, rollback: settled, deletePod: settled, evictPod: settled, startManager: settled,
	remove: gone, foreignPod: nothing, addNode: nothing, bindClaims: nothing, disallow: nothing, wipe: settled, history: nothing, stopManager: nothing,
}

// scenarios reads all files.
func scenarios() ([]scenario, error) {
	files, err := filepath.Glob(filepath.Join(testkit.Root(), "test", "chaos", "scenarios", "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []scenario
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s := scenario{name: strings.TrimSuffix(filepath.Base(file), ".yaml")}
		if err := yaml.UnmarshalStrict(raw, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (s *scenario) check() error {
	if s.Description == "" || len(s.Steps) == 0 {
		return fmt.Errorf("a scenario needs a description and steps")
	}
	for i := range s.Steps {
		step := &s.Steps[i]
		byDefault, known := defaults[step.Do]
		if !known {
			return fmt.Errorf("steps[%d].do: %q is none of %v", i, step.Do, actions())
		}
		if step.Until == "" {
			step.Until = byDefault
		}
		if step.App == "" {
			step.App = "web"
		}
	}
	return nil
}

func actions() []action {
	var all []action
	for a := range defaults {
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}

// String is the step in a few words.
func (s step) String() string { return fmt.Sprintf("%s %s, until %s", s.Do, s.App, s.Until) }
