// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tells what users do with kdcos, on a cluster with real nodes:
// make test-e2e starts the local one, installs the chart and runs it.
package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/testkit"
)

// webImage is what the Apps of these tests run: test/images/web.
const webImage = "kdcos/web:v1"

// system is the namespace the chart is installed in.
const system = "kdcos-system"

// ofManager selects what belongs to the manager there.
var ofManager = client.MatchingLabels{"app.kubernetes.io/component": "manager"}

var (
	config    *rest.Config
	k8s       client.WithWatch
	clientset *kubernetes.Clientset
	// kubeconfig is the file that leads to the cluster.
	kubeconfig string
)

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "kdcos on real nodes")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	kubeconfig = os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		kubeconfig = filepath.Join(testkit.Root(), ".local", "kubeconfig")
	}
	var err error
	config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	Expect(err).NotTo(HaveOccurred(), "no cluster: run make test-e2e, which starts one")
	config.QPS = -1
	scheme, err := controllers.Scheme()
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	clientset, err = kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	var nodes corev1.NodeList
	Expect(k8s.List(ctx, &nodes)).To(Succeed())
	Expect(nodes.Items).NotTo(BeEmpty())
})

// What failed is said once more at the end, where those look who keep but the
// last lines.
var _ = ReportAfterSuite("what failed", func(report Report) {
	for _, spec := range report.SpecReports {
		if spec.Failed() {
			_, _ = fmt.Fprintf(os.Stderr, "%s\n%s\n%s\n", spec.FullText(), spec.FailureLocation(), spec.FailureMessage())
		}
	}
})
