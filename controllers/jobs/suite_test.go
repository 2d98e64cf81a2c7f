// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobs_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/workload"
)

func TestJobs(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	RunSpecs(t, "Job controllers")
}

var (
	plane *testkit.ControlPlane
	k8s   client.WithWatch
	// stopManager stops the controllers, startManager starts them again.
	stopManager  func() error
	startManager func()
)

// fateOf decides about pods by a variable in their environment.
func fateOf(pod *corev1.Pod) testkit.Fate {
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == "FATE" {
			return map[string]testkit.Fate{
				"runs": testkit.Runs, "fails": testkit.Crashes, "unpullable": testkit.Unpullable, "unplaceable": testkit.Unplaceable,
			}[v.Value]
		}
	}
	return testkit.Ends
}

var _ = BeforeSuite(func() {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	plane, err = testkit.Start(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })
	DeferCleanup(cancel)
	k8s = plane.Client
	Expect(k8s.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}})).To(Succeed())
	kubelet := &testkit.Kubelet{Client: k8s, Fate: fateOf, Node: func(*corev1.Pod) string { return "node" }}
	go func() {
		defer GinkgoRecover()
		Expect(kubelet.Run(ctx)).To(Succeed())
	}()
	stopControllers, err := plane.ControllerManager(ctx, "job-controller", "garbage-collector-controller")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stopControllers)
	settings := workload.DefaultSettings()
	settings.RunLaunchTimeout = 20 * time.Second // of what takes long with 500 runs at once
	startManager = func() {
		GinkgoHelper()
		stopManager, err = plane.Manager(ctx, controllers.Options{Workload: settings})
		Expect(err).NotTo(HaveOccurred())
	}
	startManager()
	DeferCleanup(func() { Expect(stopManager()).To(Succeed()) })
})
