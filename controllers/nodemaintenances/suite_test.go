// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances_test

import (
	"context"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/workload"
)

func TestNodeMaintenances(t *testing.T) {
	RegisterFailHandler(Fail)
	// Of what comes about in milliseconds on a quiet machine.
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "NodeMaintenance controller")
}

var (
	plane *testkit.ControlPlane
	k8s   client.WithWatch
	// suite ends when all is over.
	suite context.Context
	// stop ends the manager.
	stop func() error
)

func startManager() {
	GinkgoHelper()
	var err error
	stop, err = plane.Manager(suite, controllers.Options{Workload: workload.DefaultSettings()})
	Expect(err).NotTo(HaveOccurred())
}

// nodeOf is the first node that takes pods, of those that a variable of the pod
// names; a scheduler would know of more.
func nodeOf(pod *corev1.Pod) string {
	var names []string
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == "NODES" {
			names = strings.Split(v.Value, ",")
		}
	}
	for _, name := range names {
		var n corev1.Node
		if err := k8s.Get(suite, client.ObjectKey{Name: name}, &n); err == nil && !n.Spec.Unschedulable {
			return name
		}
	}
	return "nowhere"
}

// fateOf lets no pod run where its volumes are not.
func fateOf(pod *corev1.Pod) testkit.Fate {
	var volumes corev1.PersistentVolumeList
	if err := k8s.List(suite, &volumes); err != nil {
		return testkit.Unplaceable
	}
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		var claim corev1.PersistentVolumeClaim
		if err := k8s.Get(suite, client.ObjectKey{Namespace: pod.Namespace, Name: v.PersistentVolumeClaim.ClaimName}, &claim); err != nil {
			return testkit.Unplaceable
		}
		for i := range volumes.Items {
			spec := &volumes.Items[i].Spec
			if spec.ClaimRef.UID == claim.UID && spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values[0] != nodeOf(pod) && pod.Spec.NodeName == "" {
				return testkit.Unplaceable
			}
		}
	}
	return testkit.Runs
}

var _ = BeforeSuite(func() {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	var cancel context.CancelFunc
	suite, cancel = context.WithCancel(context.Background())
	var err error
	plane, err = testkit.Start(suite)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })
	DeferCleanup(cancel)
	k8s = plane.Client
	kubelet := &testkit.Kubelet{Client: k8s, Node: nodeOf, Fate: fateOf, Address: "127.0.0.1", Linger: 100 * time.Millisecond}
	go func() {
		defer GinkgoRecover()
		Expect(kubelet.Run(suite)).To(Succeed())
	}()
	// Budgets count what there is, and claims go when nobody uses them.
	stopControllers, err := plane.ControllerManager(suite, "disruption-controller", "persistentvolumeclaim-protection-controller")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stopControllers)
	startManager()
	DeferCleanup(func() { Expect(stop()).To(Succeed()) })
})
