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
	// Slow scenarios take long, and are tried as in the short form of the sweep only.
	Slow bool `json:"slow,omitempty"`
	// Steps are done one after the other.
	Steps []step `json:"steps"`
}

// step is one thing that is done, and what is waited for then.
type step struct {
	// Do is what is done.
	Do action `json:"do"`
	// App is the name of the App, or of the Job, it is done to; web if empty.
	App string `json:"app,omitempty"`
	// Run is the end of the name of the run it is about; 1 if empty.
	Run string `json:"run,omitempty"`
	// Spec is the spec of what is made, and a merge patch of the spec for changes;
	// for a run, what differs from that of its Job. NAMESPACE is that of the life.
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
	// addNode makes the object of the node that the pods run on, with the attribute
	// rack=a and the label pool=a; loseNode lets it answer no more.
	addNode  action = "addNode"
	loseNode action = "loseNode"
	// createJob makes a Job, deleteJob deletes it.
	createJob action = "createJob"
	deleteJob action = "deleteJob"
	// startRun asks for a run of a Job, stopRun stops it, deleteRun deletes it.
	startRun  action = "startRun"
	stopRun   action = "stopRun"
	deleteRun action = "deleteRun"
	// createQuota makes the Quota of the namespace, changeQuota changes it, by
	// force; deleteQuota deletes it.
	createQuota action = "createQuota"
	changeQuota action = "changeQuota"
	deleteQuota action = "deleteQuota"
	// maintain makes a NodeMaintenance of the node, changeMaintenance changes it;
	// reactivate deletes it.
	maintain          action = "maintain"
	changeMaintenance action = "changeMaintenance"
	reactivate        action = "reactivate"
	// createPool makes a NodePool, changePool changes it, deletePool deletes it.
	createPool action = "createPool"
	changePool action = "changePool"
	deletePool action = "deletePool"
	// addMachines makes a MachineDeployment of Cluster API, for the pool.
	addMachines action = "addMachines"
	// storeLocally gives the App's claims volumes that are on the node.
	storeLocally action = "storeLocally"
	// look does nothing.
	look action = "look"
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
	// counted=1+2: the Job has counted so many runs that succeeded and failed, and
	// none is active; nothing is left of what is over.
	counted until = "counted"
	// kept=1: so many runs of the Job are there.
	kept until = "kept"
	// logged=3: so many attempts of the Job are there.
	logged until = "logged"
	// active: a task of the run runs.
	active until = "active"
	// jobGone: the Job and all that is its own are gone.
	jobGone until = "jobGone"
	// enforced: the Quota is there, and pods are held back by it.
	enforced until = "enforced"
	// held=2: so many of the App's pods wait for the Quota, and the others run; held: some do.
	held until = "held"
	// accounted: settled, and the Quota says so.
	accounted until = "accounted"
	// exceeded: more is used than the Quota allows.
	exceeded until = "exceeded"
	// quotaGone: the Quota is gone.
	quotaGone until = "quotaGone"
	// maintained=Drained: the NodeMaintenance is as far as this, and Ready.
	maintained until = "maintained"
	// inUse: the NodeMaintenance is gone, and its marks on the node are.
	inUse until = "inUse"
	// keptOut: the node bears the marks of one that was given up.
	keptOut until = "keptOut"
	// moved: settled, on another node than that which was given up.
	moved until = "moved"
	// pooled: the NodePool is Ready, and the node is marked.
	pooled until = "pooled"
	// poolGone: the NodePool is gone, and what it has set and made is.
	poolGone until = "poolGone"
	// provisioned=2: Karpenter may take so many nodes away at once.
	provisioned until = "provisioned"
	// machines=2: so many machines are asked for.
	machines until = "machines"
	// nothing is waited for.
	nothing until = "nothing"
)

var defaults = map[action]until{
	create: settled, change: settled, restart: settled, rollback: settled, deletePod: settled, evictPod: settled, startManager: settled,
	remove: gone, foreignPod: nothing, addNode: nothing, bindClaims: nothing, disallow: nothing, wipe: settled, history: nothing, stopManager: nothing,
	createJob: nothing, deleteJob: jobGone, startRun: active, stopRun: nothing, deleteRun: nothing, look: settled,
	createQuota: enforced, changeQuota: accounted, deleteQuota: quotaGone,
	loseNode: nothing, maintain: nothing, changeMaintenance: nothing, reactivate: inUse,
	createPool: pooled, changePool: pooled, deletePool: poolGone, addMachines: nothing, storeLocally: nothing,
}

// does says that one of the actions is in a scenario.
func (s *scenario) does(actions ...action) bool {
	return slices.ContainsFunc(s.Steps, func(step step) bool { return slices.Contains(actions, step.Do) })
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
		if step.Run == "" {
			step.Run = "1"
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
