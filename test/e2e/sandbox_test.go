// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit/archives"
)

var _ = Describe("The sandbox", func() {
	It("gets archives of each kind, and none that does harm", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		server := web(namespace, "server", 1)
		// Archives are made as they are asked for.
		server.Spec.Cpus, server.Spec.Mem = ptr.To(0.5), ptr.To(128.0)
		Expect(k8s.Create(ctx, server)).To(Succeed())
		eventuallyReady(ctx, server)
		from := "http://" + pods(ctx, server)[0].Status.PodIP + "/files/"

		fetches := func(name string, files ...string) *v1alpha1.App {
			app := web(namespace, name, 1)
			app.Spec.Cmd = ptr.To("test -x $MESOS_SANDBOX/dir/hello.txt && exec /web")
			for _, f := range files {
				app.Spec.Fetch = append(app.Spec.Fetch, v1alpha1.Fetch{URI: from + f})
			}
			Expect(k8s.Create(ctx, app)).To(Succeed())
			return app
		}
		var good []*v1alpha1.App
		for i, kind := range archives.Kinds {
			good = append(good, fetches(fmt.Sprintf("good-%d", i), kind))
		}
		attacks, err := archives.Attacks(10, 1<<20)
		Expect(err).NotTo(HaveOccurred())
		bad := map[*v1alpha1.App]string{}
		for i, attack := range attacks {
			// Many files and large ones are for limits that a test can set.
			if attack.Refused != "" && attack.Name != "many.tar" && attack.Name != "bomb.gz" {
				bad[fetches(fmt.Sprintf("bad-%d", i), attack.Name)] = attack.Refused
			}
		}
		Expect(len(bad)).To(BeNumerically(">=", 8))
		for _, app := range good {
			eventuallyReady(ctx, app)
		}
		for app, why := range bad {
			Eventually(func(g Gomega) {
				ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
				g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonBackOff))
				g.Expect(ready.Message).To(ContainSubstring(why))
			}).WithTimeout(time.Minute).Should(Succeed(), app.Spec.Fetch[0].URI)
		}
	})

	It("is filled once what is fetched is there", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		app := web(namespace, "early", 1)
		server := web(namespace, "server", 1)
		url := service(ctx, server)
		app.Spec.Cmd = ptr.To("test -x $MESOS_SANDBOX/dir/hello.txt && exec /web")
		app.Spec.Fetch = []v1alpha1.Fetch{{URI: url + "/files/a.tgz"}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		Eventually(func(g Gomega) {
			failure := get(ctx, g, app).Status.LastTaskFailure
			g.Expect(failure).NotTo(BeNil())
			g.Expect(failure.Message).To(ContainSubstring("fetch " + url + "/files/a.tgz"))
		}).WithTimeout(time.Minute).Should(Succeed())
		Expect(k8s.Create(ctx, server)).To(Succeed())
		eventuallyReady(ctx, app)
	})
})
