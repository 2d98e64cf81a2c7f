// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// progressPause is how far apart writes are that only tell how far an object
// is. An object that is done within it is written once.
const progressPause = time.Second

// pacer remembers when objects were written and looked at. It holds nothing
// that matters: a manager that starts anew writes at once what it finds.
type pacer[T Object] struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	known map[types.NamespacedName]*pace[T]
}

// pace is what is remembered of an object while it is on its way.
type pace[T Object] struct {
	// written is when its status was written last, or when it was seen first.
	written time.Time
	// rests is until when it need not be looked at again.
	rests time.Time
	// version is the resource version that the last write led to.
	version string
	// first is the first status of a new object while it waits to be written.
	first *change[T]
	// gone is the object that a write did not find any more.
	gone types.UID
}

// progressing is a kind whose progress may be written later than it is made.
type progressing[T Object] interface {
	// OnlyProgressed says that nothing is in the status that would be lost.
	OnlyProgressed(since T) bool
	// TakeStatus takes over the status of an earlier pass.
	TakeStatus(of T)
}

// change is a change of status.
type change[T Object] struct{ before, after T }

func newPacer[T Object](c clock.PassiveClock) *pacer[T] {
	return &pacer[T]{clock: c, known: map[types.NamespacedName]*pace[T]{}}
}

// resting is how long the object need not be looked at.
func (p *pacer[T]) resting(name types.NamespacedName) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.known[name]; one != nil {
		return one.rests.Sub(p.clock.Now())
	}
	return 0
}

// unwritten returns the first status of an object while it waits to be written,
// and whether it missed its time: the object has changed since.
func (p *pacer[T]) unwritten(obj T) (first *change[T], missed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.known[client.ObjectKeyFromObject(obj)]
	if one == nil || one.first == nil || one.first.before.GetUID() != obj.GetUID() {
		return nil, false
	}
	return one.first, one.first.before.GetResourceVersion() != obj.GetResourceVersion()
}

// wait is how long the change may wait for a further one; 0 is not at all.
func (p *pacer[T]) wait(name types.NamespacedName, c *change[T]) time.Duration {
	if !c.onlyProgress() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of(name)
	wait := progressPause - p.clock.Since(one.written)
	if wait <= 0 {
		return 0
	}
	if c.isFirst() {
		one.first = c
	}
	return wait
}

// wrote notes that the status is written as it is.
func (p *pacer[T]) wrote(obj T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of(client.ObjectKeyFromObject(obj))
	one.written, one.version, one.first = p.clock.Now(), obj.GetResourceVersion(), nil
}

// wentAway notes that a write did not find the object.
func (p *pacer[T]) wentAway(obj T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(client.ObjectKeyFromObject(obj)).gone = obj.GetUID()
}

// old says that the object is from before our own last write, or that it is no
// more. The event of that is yet to come and brings on a pass; one over this
// would only conflict, or make children of what is gone again and again.
func (p *pacer[T]) old(obj T) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.known[client.ObjectKeyFromObject(obj)]
	switch {
	case one == nil:
		return false
	case one.gone != "" && one.gone == obj.GetUID():
		return true
	case one.version == "":
		return false
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), one.version)
	return err == nil && order < 0
}

// rest lets the object rest.
func (p *pacer[T]) rest(name types.NamespacedName, pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(name).rests = p.clock.Now().Add(pause)
}

// forget drops all about an object that is gone, or where it has to be.
func (p *pacer[T]) forget(name types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, name)
}

func (p *pacer[T]) of(name types.NamespacedName) *pace[T] {
	if p.known[name] == nil {
		p.known[name] = &pace[T]{written: p.clock.Now()}
	}
	return p.known[name]
}

// onlyProgress says that nothing is lost and nobody misled if the change is
// written a little later, or never because the next came first.
func (c *change[T]) onlyProgress() bool {
	kind, ok := any(c.after).(progressing[T])
	if !ok || !kind.OnlyProgressed(c.before) || meta.FindStatusCondition(c.after.GetConditions(), v1alpha1.ConditionReconciling) == nil {
		return false
	}
	return c.isFirst() && !meta.IsStatusConditionTrue(c.after.GetConditions(), v1alpha1.ConditionReady) ||
		sameStates(c.before.GetConditions(), c.after.GetConditions())
}

// isFirst says that nothing was ever written about the object: what it says is
// the default of its definition, which is not Ready.
func (c *change[T]) isFirst() bool {
	ready := meta.FindStatusCondition(c.before.GetConditions(), v1alpha1.ConditionReady)
	return ready == nil || ready.ObservedGeneration == 0
}

// sameStates says that conditions differ in nothing but messages.
func sameStates(a, b []metav1.Condition) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		other := meta.FindStatusCondition(b, a[i].Type)
		if other == nil || other.Status != a[i].Status || other.Reason != a[i].Reason || other.ObservedGeneration != a[i].ObservedGeneration {
			return false
		}
	}
	return true
}
