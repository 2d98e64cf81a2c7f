// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/workload"
)

func TestApps(t *testing.T) {
	RegisterFailHandler(Fail)
	// Of what comes about in milliseconds on a quiet machine.
	SetDefaultEventuallyTimeout(30 * time.Second)
	RunSpecs(t, "App controller")
}

var (
	plane   *testkit.ControlPlane
	k8s     client.WithWatch
	kubelet *testkit.Kubelet
)

// fateOf decides about pods by a variable in their environment.
func fateOf(pod *corev1.Pod) testkit.Fate {
	return map[string]testkit.Fate{
		"crash": testkit.Crashes, "unready": testkit.RunsUnready,
		"unpullable": testkit.Unpullable, "unplaceable": testkit.Unplaceable,
	}[variable(pod, "FATE")]
}

// nodeOf decides where a pod goes, by a variable and the number of its slot.
func nodeOf(pod *corev1.Pod) string {
	if name := variable(pod, "NODE"); name != "" {
		return name + pod.Labels[v1alpha1.SlotLabel]
	}
	return "node"
}

func variable(pod *corev1.Pod, name string) string {
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
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
	kubelet = &testkit.Kubelet{Client: k8s, Fate: fateOf, Node: nodeOf, Address: "127.0.0.1"}
	go func() {
		defer GinkgoRecover()
		Expect(kubelet.Run(ctx)).To(Succeed())
	}()
	settings := workload.DefaultSettings()
	settings.TaskLaunchTimeout = 8 * time.Second
	settings.ServicePorts = workload.PortRange{First: 10000, Last: 10059}
	stop, err := plane.Manager(ctx, controllers.Options{Workload: settings})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(stop()).To(Succeed()) })
})
