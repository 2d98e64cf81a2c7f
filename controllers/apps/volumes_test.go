// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var _ = Describe("An App with volumes", func() {
	var app *v1alpha1.App

	BeforeEach(func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "volumes-"}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		app = &v1alpha1.App{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "db"},
			Spec: v1alpha1.AppSpec{
				Instances: ptr.To[int32](2),
				Networks:  []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
				Container: &v1alpha1.Container{
					Docker: &v1alpha1.DockerContainer{Image: "example/db:1"},
					Volumes: []v1alpha1.Volume{
						{ContainerPath: "data", Persistent: &v1alpha1.PersistentVolume{Size: ptr.To[int64](10)}},
					},
				},
			},
		}
	})

	It("keeps the volumes of its instances until it is deleted, and no two have one", func(ctx SpecContext) {
		never := watchWriters(ctx, app)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		first := claims(ctx, app)
		Expect(first).To(HaveLen(2))
		claim := claimOf(ctx, app, 0)
		Expect(metav1.IsControlledBy(claim, app)).To(BeTrue())
		Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("10Mi"))

		By("upgrading")
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Docker.Image = "example/db:2" })
		eventuallyReady(ctx, app)
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Docker.Image = "example/db:3" })
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Docker.Image = "example/db:4" })
		eventuallyReady(ctx, app)

		By("scaling to nothing and back")
		scale(ctx, app, 0)
		Eventually(func() []types.UID { return uids(ctx, app) }).Should(BeEmpty())
		scale(ctx, app, 3)
		eventuallyReady(ctx, app)
		Expect(claims(ctx, app)).To(And(HaveLen(3), ContainElements(first)))
		Expect(never()).To(BeEmpty())
	})

	It("takes up the volumes of instances that were stopped", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](3)
		app.Spec.KillSelection = v1alpha1.OldestFirst
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		all := claims(ctx, app)
		scale(ctx, app, 1)
		Eventually(func() []types.UID { return uids(ctx, app) }).Should(HaveLen(1))
		scale(ctx, app, 3)
		eventuallyReady(ctx, app)
		Expect(claims(ctx, app)).To(ConsistOf(all))
	})

	It("waits until a volume that is wiped is gone, and has a fresh one", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](1)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		old := claimOf(ctx, app, 0)
		// The API server holds it until the controller of such says that nobody uses it.
		Expect(old.Finalizers).To(ContainElement("kubernetes.io/pvc-protection"))
		Expect(k8s.Delete(ctx, old)).To(Succeed())
		Expect(k8s.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(app.Namespace))).To(Succeed())
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonWaiting), c.Message)
			g.Expect(c.Message).To(ContainSubstring("instance 0 waits for its volume data, which was wiped, to be gone"))
		}).Should(Succeed())
		Expect(uids(ctx, app)).To(BeEmpty())

		Expect(k8s.Patch(ctx, old, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`)))).To(Succeed())
		eventuallyReady(ctx, app)
		Expect(claimOf(ctx, app, 0).UID).NotTo(Equal(old.UID))
	})

	It("asks for larger volumes where their class allows it, and says so where not", func(ctx SpecContext) {
		grows := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{GenerateName: "grows-"}, Provisioner: "example.com/p", AllowVolumeExpansion: ptr.To(true)}
		stays := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{GenerateName: "stays-"}, Provisioner: "example.com/p"}
		Expect(k8s.Create(ctx, grows)).To(Succeed())
		Expect(k8s.Create(ctx, stays)).To(Succeed())
		app.Spec.Instances = ptr.To[int32](1)
		volumes := &app.Spec.Container.Volumes
		(*volumes)[0].Persistent.ProfileName = &grows.Name
		*volumes = append(*volumes, v1alpha1.Volume{ContainerPath: "other", Persistent: &v1alpha1.PersistentVolume{Size: ptr.To[int64](10), ProfileName: &stays.Name}})
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		bind(ctx, app)

		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Volumes[0].Persistent.Size = ptr.To[int64](20) })
		Eventually(func() string { return claimOf(ctx, app, 0).Spec.Resources.Requests.Storage().String() }).Should(Equal("20Mi"))
		eventuallyReady(ctx, app)

		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Volumes[1].Persistent.Size = ptr.To[int64](20) })
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), v1alpha1.ConditionReconciling)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonRefused))
			g.Expect(c.Message).To(ContainSubstring("must support resize"))
			g.Expect(condition(app, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
		}).Should(Succeed())

		By("making one smaller")
		// A status may be written in between.
		Eventually(func(g Gomega) {
			get(ctx, g, app).Spec.Container.Volumes[0].Persistent.Size = ptr.To[int64](1)
			g.Expect(k8s.Update(ctx, app)).To(MatchError(ContainSubstring("can't get smaller")))
		}).Should(Succeed())
	})

	It("makes an external volume that is missing, and leaves it there", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](1)
		app.Spec.Container.Volumes = []v1alpha1.Volume{external("shop", false)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		var claim corev1.PersistentVolumeClaim
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: "shop"}, &claim)).To(Succeed())
		Expect(claim.OwnerReferences).To(BeEmpty())
		Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("16Gi"))

		By("another App that wants it")
		other := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: "second"}, Spec: *app.Spec.DeepCopy()}
		other.Spec.Container.Volumes = []v1alpha1.Volume{external("shop", true)}
		Expect(k8s.Create(ctx, other)).To(Succeed())
		eventuallyRefused(ctx, other, "the external volume shop is used by the App db, and not shared by both")

		By("one that wants what is an instance's")
		third := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: "third"}, Spec: *app.Spec.DeepCopy()}
		own := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: "own", OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))}},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}},
			},
		}
		Expect(k8s.Create(ctx, own)).To(Succeed())
		third.Spec.Container.Volumes = []v1alpha1.Volume{external("own", false)}
		Expect(k8s.Create(ctx, third)).To(Succeed())
		eventuallyRefused(ctx, third, "PersistentVolumeClaim own belongs to somebody else")
	})
})

func external(name string, shared bool) v1alpha1.Volume {
	return v1alpha1.Volume{ContainerPath: "/data", External: &v1alpha1.ExternalVolume{
		Name: name, Provider: v1alpha1.ProviderDVDI, Shared: &shared, Options: map[string]v1alpha1.LabelValue{"dvdi/driver": "rexray"},
	}}
}

func eventuallyRefused(ctx SpecContext, app *v1alpha1.App, message string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		c := condition(get(ctx, g, app), v1alpha1.ConditionReady)
		g.Expect(c.Reason).To(Equal(v1alpha1.ReasonNameConflict), c.Message)
		g.Expect(c.Message).To(ContainSubstring(message))
	}).Should(Succeed())
	Expect(uids(ctx, app)).To(BeEmpty())
}

// claims are the uids of the claims of an App.
func claims(ctx SpecContext, app *v1alpha1.App) []types.UID {
	GinkgoHelper()
	var list corev1.PersistentVolumeClaimList
	Expect(k8s.List(ctx, &list, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))).To(Succeed())
	var all []types.UID
	for i := range list.Items {
		all = append(all, list.Items[i].UID)
	}
	return all
}

// claimOf is the claim of the volume data in a slot.
func claimOf(ctx SpecContext, app *v1alpha1.App, slot int) *corev1.PersistentVolumeClaim {
	GinkgoHelper()
	claim := &corev1.PersistentVolumeClaim{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: workload.ClaimName(app, "data", slot)}, claim)).To(Succeed())
	return claim
}

// bind says of all claims that they have their volumes, as the controller of
// such does.
func bind(ctx SpecContext, app *v1alpha1.App) {
	GinkgoHelper()
	var list corev1.PersistentVolumeClaimList
	Expect(k8s.List(ctx, &list, client.InNamespace(app.Namespace))).To(Succeed())
	for i := range list.Items {
		claim := &list.Items[i]
		claim.Spec.VolumeName = "pv-" + claim.Name
		Expect(k8s.Update(ctx, claim)).To(Succeed())
		claim.Status.Phase = corev1.ClaimBound
		claim.Status.Capacity = claim.Spec.Resources.Requests
		Expect(k8s.Status().Update(ctx, claim)).To(Succeed())
	}
}

// watchWriters follows the pods of a namespace; what it returns are the slots
// that ever had two at once.
func watchWriters(ctx SpecContext, app *v1alpha1.App) func() []string {
	GinkgoHelper()
	ctx2, cancel := context.WithCancel(ctx)
	events, err := k8s.Watch(ctx2, &corev1.PodList{}, client.InNamespace(app.Namespace))
	Expect(err).NotTo(HaveOccurred())
	result := make(chan []string, 1)
	go func() {
		there, twice := map[string]types.UID{}, []string{}
		for e := range events.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			slot := pod.Labels[v1alpha1.SlotLabel]
			if has, is := there[slot]; is && has != pod.UID {
				twice = append(twice, slot)
			}
			there[slot] = pod.UID
			if e.Type == watch.Deleted {
				delete(there, slot)
			}
		}
		result <- twice
	}()
	return func() []string {
		cancel()
		events.Stop()
		return <-result
	}
}
