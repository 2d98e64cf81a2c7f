// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"context"
	"testing"

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

func TestApps(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "App controller")
}

var (
	plane   *testkit.ControlPlane
	k8s     client.WithWatch
	kubelet *testkit.Kubelet
)

// fateOf decides about pods by a variable in their environment.
func fateOf(pod *corev1.Pod) testkit.Fate {
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == "FATE" {
			return map[string]testkit.Fate{
				"crash": testkit.Crashes, "unready": testkit.RunsUnready,
				"unpullable": testkit.Unpullable, "unplaceable": testkit.Unplaceable,
			}[v.Value]
		}
	}
	return testkit.Runs
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
	kubelet = &testkit.Kubelet{Client: k8s, Fate: fateOf, Address: "127.0.0.1"}
	go func() {
		defer GinkgoRecover()
		Expect(kubelet.Run(ctx)).To(Succeed())
	}()
	stop, err := plane.Manager(ctx, controllers.Options{Workload: workload.DefaultSettings()})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(stop()).To(Succeed()) })
})
