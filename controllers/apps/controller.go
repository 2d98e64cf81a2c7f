// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apps runs Apps: it keeps the pods of an App as its spec asks for and
// its status as they are. What to do is decided in plan.go and internal/rollout,
// what a pod looks like in internal/workload; here is only the wiring.
package apps

import (
	"context"
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

// +kubebuilder:rbac:groups=kdcos.io,resources=apps,verbs=get;list;watch
// +kubebuilder:rbac:groups=kdcos.io,resources=apps/status,verbs=patch
// +kubebuilder:rbac:groups=kdcos.io,resources=apps/finalizers,verbs=update
// +kubebuilder:rbac:groups=kdcos.io,resources=virtualips,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods/status,verbs=patch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;create;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;delete;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// rest is how long an App rests between passes: a pass goes through all its
// pods, each of them has several events while it starts, and those just made
// come into the cache one by one. The fewer are on their way, the less there is
// to wait for.
func rest(app *v1alpha1.App) time.Duration {
	const perTask, perMissing, least = 20 * time.Microsecond, 200 * time.Microsecond, 10 * time.Millisecond
	// Where they follow the nodes, the status knows how many there are.
	n := max(ptr.Deref(app.Spec.Instances, 1), app.Status.Instances)
	if n <= 1 {
		return 0
	}
	missing := min(max(n-min(app.Status.TasksRunning, app.Status.InstancesUpToDate), 0), n)
	return max(time.Duration(n)*perTask, time.Duration(missing)*perMissing, least)
}

// Reconciler runs Apps.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads from the API server what is not worth a cache.
	Live client.Reader
	// Apply makes and removes pods and versions.
	Apply *apply.Applier
	// Settings are those of the datacenter.
	Settings workload.Settings
	// Clock tells the time.
	Clock clock.PassiveClock

	servicePorts servicePorts
	probing      *probing
}

// SetupWithManager adds the controller to a manager.
func SetupWithManager(mgr ctrl.Manager, settings workload.Settings, workers int) error {
	r := &Reconciler{
		Client:   mgr.GetClient(),
		Live:     mgr.GetAPIReader(),
		Apply:    apply.New(mgr.GetClient(), mgr.GetAPIReader()),
		Settings: settings,
		Clock:    clock.RealClock{},
		probing:  newProbing(),
	}
	if err := r.probing.setup(mgr); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("app").
		For(&v1alpha1.App{}).
		Owns(&corev1.Pod{}).
		Owns(&corev1.PersistentVolumeClaim{}).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.appsOn), builder.WithPredicates(reachability())).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.appsPerNode), builder.WithPredicates(placeChanges())).
		Watches(&policyv1.PodDisruptionBudget{}, handler.EnqueueRequestsFromMapFunc(r.appsBudgeted), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.App{}, handler.EnqueueRequestsFromMapFunc(r.dependents), builder.WithPredicates(progress())).
		Watches(&v1alpha1.App{}, handler.EnqueueRequestsFromMapFunc(r.namedAlike), builder.WithPredicates(comesOrGoes())).
		Watches(&v1alpha1.VirtualIP{}, handler.EnqueueRequestsFromMapFunc(r.appsOfVIP), builder.WithPredicates(stalls())).
		Watches(&v1alpha1.Quota{}, appsTold()).
		WatchesRawSource(source.Func(r.probing.wakeBy)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconciler.WithStatus[*v1alpha1.App](mgr.GetClient(), mgr.GetEventRecorder("kdcos-app"), r,
			reconciler.Resting(rest)))
}

// Reconcile makes one pass over an App: it looks, decides, acts and reports.
func (r *Reconciler) Reconcile(ctx context.Context, app *v1alpha1.App) (reconcile.Result, error) {
	seen, err := r.observe(ctx, app)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := r.tell(ctx, seen); err != nil {
		return reconcile.Result{}, err
	}
	if err := r.discover(ctx, app, seen); err != nil {
		return reconcile.Result{}, err
	}
	if refused := workload.Unsupported(seen.app, r.Settings); len(refused) > 0 {
		return reconcile.Result{}, &reconciler.Terminal{
			Reason: v1alpha1.ReasonUnsupported, Message: strings.Join(refused, "; "), Serving: len(seen.pods) > 0,
		}
	}
	if err := workload.CheckPlacement(seen.app); err != nil {
		return reconcile.Result{}, &reconciler.Terminal{Reason: v1alpha1.ReasonInvalid, Message: err.Error(), Serving: len(seen.pods) > 0}
	}
	backoff, err := seen.backoff()
	if err != nil {
		return reconcile.Result{}, err
	}
	if app.Status.ServicePorts, err = r.assignServicePorts(ctx, seen); err != nil {
		return reconcile.Result{}, err
	}
	if step := seen.transition(); step != nil {
		if err := r.record(ctx, seen, step); err != nil {
			return reconcile.Result{}, err
		}
		step.enter(&app.Status, seen)
		if step.from != "" {
			// The version is written before anything runs under it; the
			// write brings on the next pass.
			return reconcile.Result{}, setStatus(app, seen, backoff)
		}
	}
	if held := r.hold(ctx, app, seen); held != nil {
		return reconcile.Result{}, explain(held, setStatus(app, seen, backoff))
	}
	seen.resume(&app.Status)
	seen.expires = seen.deadline()
	plan := seen.tasks(backoff)
	failed := r.act(ctx, seen, app.Status.Version, plan)
	state := setStatus(app, seen, backoff)
	if back, err := r.rollBack(ctx, app, seen, state); back != nil || err != nil {
		return reconcile.Result{}, errors.Join(err, back)
	}
	if apierrors.HasStatusCause(failed, corev1.NamespaceTerminatingCause) {
		// The App is about to go with its namespace.
		return reconcile.Result{}, state
	}
	if failed != nil {
		return reconcile.Result{}, explain(failed, state)
	}
	return reconcile.Result{RequeueAfter: seen.lookAgain(plan.After, backoff)}, state
}

// explain lets what stands in the way speak, where that is known.
func explain(failed, state error) error {
	var why, notReady *reconciler.NotReady
	if errors.As(failed, &why) {
		why.Serving = state == nil || errors.As(state, &notReady) && notReady.Serving
	}
	return failed
}

func invalid(message string) error {
	return &reconciler.Terminal{Reason: v1alpha1.ReasonInvalid, Message: message}
}
