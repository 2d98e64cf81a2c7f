// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/workload"
)

func TestQuotas(t *testing.T) {
	RegisterFailHandler(Fail)
	// Of what comes about in milliseconds on a quiet machine.
	SetDefaultEventuallyTimeout(30 * time.Second)
	RunSpecs(t, "Quota controller")
}

var (
	plane   *testkit.ControlPlane
	k8s     client.WithWatch
	running func() error
)

// start starts the manager, stop ends it: the gate needs none.
func start() {
	GinkgoHelper()
	var err error
	running, err = plane.Manager(context.Background(), controllers.Options{Workload: workload.DefaultSettings()})
	Expect(err).NotTo(HaveOccurred())
}

func stop() {
	GinkgoHelper()
	Expect(running()).To(Succeed())
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
	kubelet := &testkit.Kubelet{Client: k8s}
	go func() {
		defer GinkgoRecover()
		Expect(kubelet.Run(ctx)).To(Succeed())
	}()
	start()
	DeferCleanup(func() { stop() })
})
