// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// run is one life of a scenario, with one fault or none.
type run struct {
	world     *world
	scenario  *scenario
	point     point
	namespace string
	began     time.Time

	stale *stale

	mu sync.Mutex
	// trace are the writes so far, counts their numbers by verb and resource.
	trace  []*write
	counts map[string]int
	// injected is how many writes the fault hit.
	injected int
	// stormUntil is when a storm ends, stormed how many requests it met.
	stormUntil time.Time
	stormed    int
	chance     *rand.Rand
	// errors are those that the manager logged.
	errors map[string]int
	// failures are what the oracles say.
	failures []failure
	// step is the number of the one under way.
	step int
	// harmed are pods that others than the manager deleted.
	harmed map[types.UID]bool
	// watched are the kinds that its managers watch.
	watched map[string]bool
	// foreign are the objects that are none of the manager's business.
	foreign []*corev1.Pod
	// uids are those of the Apps there ever were, dead of those deleted.
	dead map[types.UID]bool
	// stop and start tell the supervisor.
	stop, start chan struct{}
	lastWrite   time.Time
}

// failure is what an oracle says.
type failure struct {
	oracle, message string
}

// patience is how long a step may take; flag -chaos.patience.
const quietFor = 400 * time.Millisecond

// live runs the scenario with the fault of a point and judges it. want is the
// end state of the reference run, empty if this is one.
func (w *world) live(ctx context.Context, s *scenario, p point, want string) (r *run, end string) {
	r = &run{
		world: w, scenario: s, point: p, began: time.Now(), stale: newStale(), counts: map[string]int{}, errors: map[string]int{},
		harmed: map[types.UID]bool{}, dead: map[types.UID]bool{}, watched: map[string]bool{}, stop: make(chan struct{}), start: make(chan struct{}),
		chance: rand.New(rand.NewPCG(p.seed, p.seed)),
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "c-", Annotations: map[string]string{v1alpha1.VirtualIPNetworksAnnotation: "198.51.100.0/24"},
	}}
	if err := w.admin.Create(ctx, namespace); err != nil {
		r.fail("harness", "create namespace: %v", err)
		return r, ""
	}
	r.namespace = namespace.Name
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer w.recorder.forget(r.namespace)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.supervise(ctx)
	}()
	if r.play(ctx) {
		end = r.judge(ctx, want)
	}
	cancel()
	<-ended
	r.tidy(context.WithoutCancel(ctx))
	return r, end
}

// play does the steps, and says whether all came to their end.
func (r *run) play(ctx context.Context) bool {
	for i, step := range r.scenario.Steps {
		r.mu.Lock()
		r.step = i
		r.mu.Unlock()
		err := r.do(ctx, step)
		if err == nil {
			err = r.await(ctx, step)
		}
		if err != nil {
			oracle := "O1"
			if slices.Contains([]action{remove, deleteJob, deleteRun, deleteQuota, deletePool, reactivate}, step.Do) {
				oracle = "O7"
			}
			r.fail(oracle, "steps[%d], %s: %v", i, step, err)
			return false
		}
		if r.failed() {
			return false
		}
	}
	return true
}

// fail notes what an oracle says.
func (r *run) fail(oracle, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, failure{oracle, fmt.Sprintf(format, args...)})
}

func (r *run) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

// logged notes an error of the manager's log.
func (r *run) logged(message string) {
	message = anonymous(message, r.namespace)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors[message]++
}

// admit counts a write that is about to be made and says what happens to it.
func (r *run) admit(req request) (*write, fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[req.what()]++
	w := &write{
		request: req, n: r.counts[req.what()], stack: ourStack(), rv: r.world.recorder.revision(r.namespace),
		at: fmt.Sprintf("%6.3fs step %d", time.Since(r.began).Seconds(), r.step),
	}
	w.fault = r.choose(w)
	r.trace = append(r.trace, w)
	r.lastWrite = time.Now()
	if w.fault != "" {
		r.injected++
	}
	return w, w.fault
}

// choose says what happens to a write.
func (r *run) choose(w *write) fault {
	p := r.point
	if time.Now().Before(r.stormUntil) {
		r.stormed++
		return storm
	}
	if p.fault == half {
		if r.chance.IntN(2) == 0 {
			return ""
		}
		kinds := []fault{lost, twice, conflict, throttled, broken, unavailable, timeout, before, after}
		return kinds[r.chance.IntN(len(kinds))]
	}
	if p.write != w.what() {
		return ""
	}
	if p.fault == conflicts && w.n >= p.n && w.n < p.n+5 {
		return conflicts
	}
	if w.n != p.n {
		return ""
	}
	switch p.fault {
	case conflicts:
		return ""
	case storm:
		r.stormUntil = time.Now().Add(stormFor)
	}
	return p.fault
}

// stormFor is how long a storm blows.
const stormFor = 3 * time.Second

// turnBack lets the manager see an old state of a kind, for a while.
func (r *run) turnBack() {
	var list uint64
	if r.point.fault == relist || r.point.fault == travel {
		r.mu.Lock()
		list = r.trace[max(len(r.trace)-1-backBy, 0)].rv
		r.mu.Unlock()
		if list == 0 {
			return // There is no past yet.
		}
	}
	r.stale.begin(list, r.point.fault == relist)
	go r.returnToPresent()
}

// returnToPresent prods the manager while it is stale, so that it acts on what
// it sees, and then lets it see the truth.
func (r *run) returnToPresent() {
	for range 4 {
		time.Sleep(holdFor / 4)
		r.prod()
	}
	r.stale.end()
}

// finish notes how a write went.
func (r *run) finish(w *write, resp *http.Response, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, errDead):
		w.result = "died"
	case err != nil:
		w.result = err.Error()
	default:
		w.result = fmt.Sprint(resp.StatusCode)
	}
}

func (r *run) storming() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.stormUntil)
}

func (r *run) countStorm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stormed++
}

func (r *run) watches(resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched[resource] = true
}

func (r *run) stopped() chan struct{} { return r.stop }
func (r *run) started() chan struct{} { return r.start }

// reached says that the fault happened.
func (r *run) reached() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.injected > 0
}

// quiet is how long the manager has written nothing.
func (r *run) quiet() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lastWrite.IsZero() {
		return time.Since(r.began)
	}
	return time.Since(r.lastWrite)
}

// report tells a failed run: what failed, what was written, what was logged,
// and how to see it again.
func (r *run) report() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.point)
	for _, f := range r.failures {
		fmt.Fprintf(&b, "  %s: %s\n", f.oracle, strings.ReplaceAll(strings.TrimSpace(f.message), "\n", "\n    "))
	}
	fmt.Fprintf(&b, "  writes of the manager in %s:\n", r.namespace)
	for _, w := range r.trace {
		fmt.Fprintf(&b, "    %s\n", w)
	}
	var logged []string
	for message, n := range r.errors {
		logged = append(logged, fmt.Sprintf("    %d × %s\n", n, message))
	}
	slices.Sort(logged)
	if len(logged) > 0 {
		fmt.Fprintf(&b, "  errors in its log:\n%s", strings.Join(logged, ""))
	}
	fmt.Fprintf(&b, "  again: make chaos POINT='%s'\n", r.point)
	return b.String()
}
