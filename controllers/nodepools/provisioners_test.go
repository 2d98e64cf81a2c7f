// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit"
)

var _ = Describe("Provisioners", Ordered, func() {
	const clusterAPIVersion = "cluster.x-k8s.io/v1beta2"
	// stored reads an object of a provisioner.
	stored := func(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
		obj := &unstructured.Unstructured{}
		obj.SetAPIVersion(apiVersion)
		obj.SetKind(kind)
		obj.SetNamespace(namespace)
		obj.SetName(name)
		return obj
	}
	becomes := func(ctx SpecContext, pool *v1alpha1.NodePool, kind, reason, message string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pool), pool)).To(Succeed())
			c := meta.FindStatusCondition(pool.Status.Conditions, kind)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Reason).To(Equal(reason))
			g.Expect(c.Message).To(ContainSubstring(message))
			g.Expect(c.ObservedGeneration).To(Equal(pool.Generation))
		}).WithTimeout(30 * time.Second).WithPolling(50 * time.Millisecond).Should(Succeed())
	}
	create := func(ctx SpecContext, name string, spec v1alpha1.NodePoolSpec) *v1alpha1.NodePool {
		GinkgoHelper()
		pool := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
		Expect(k8s.Create(ctx, pool)).To(Succeed())
		return pool
	}
	change := func(ctx SpecContext, pool *v1alpha1.NodePool, do func(*v1alpha1.NodePoolSpec)) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pool), pool)).To(Succeed())
			do(&pool.Spec)
			g.Expect(k8s.Update(ctx, pool)).To(Succeed())
		}).WithTimeout(30 * time.Second).Should(Succeed())
	}
	spec := func(obj *unstructured.Unstructured) string {
		GinkgoHelper()
		raw, err := yaml.Marshal(obj.Object["spec"])
		Expect(err).NotTo(HaveOccurred())
		return string(raw)
	}
	karpenterSpec := v1alpha1.NodePoolSpec{
		Role: v1alpha1.RolePublic, Attributes: map[string]v1alpha1.NodeLabelValue{"public_ip": "true"},
		FaultDomain: &v1alpha1.FaultDomain{Zone: "eu-1a"},
		Taints:      []v1alpha1.NodePoolTaint{{Key: "example.com/t", Effect: corev1.TaintEffectNoExecute}},
		GPU:         &v1alpha1.NodePoolGPU{Resources: []v1alpha1.GPUResource{{Name: gpu}}},
		Drain:       &v1alpha1.Drain{PodGraceCapSeconds: ptr.To[int32](60), TimeoutSeconds: ptr.To[int32](600)},
		Provisioner: &v1alpha1.Provisioner{Karpenter: &v1alpha1.KarpenterProvisioner{
			NodeClassRef: v1alpha1.ProvisionerReference{Group: "karpenter.example", Kind: "Class", Name: "default"},
			Requirements: []v1alpha1.NodeRequirement{{Key: "karpenter.sh/capacity-type", Operator: corev1.NodeSelectorOpIn, Values: []v1alpha1.NodeLabelValue{"spot"}}},
		}},
		Scaling: &v1alpha1.Scaling{Limits: map[corev1.ResourceName]resource.Quantity{corev1.ResourceCPU: resource.MustParse("1k")}},
	}
	machinesSpec := func(deployment string, replicas int32) v1alpha1.NodePoolSpec {
		return v1alpha1.NodePoolSpec{
			Provisioner: &v1alpha1.Provisioner{ClusterAPI: &v1alpha1.ClusterAPIProvisioner{Namespace: "default", MachineDeployment: deployment}},
			Scaling:     &v1alpha1.Scaling{Replicas: &replicas},
		}
	}
	var made, machines *v1alpha1.NodePool

	It("that are not installed are named", func(ctx SpecContext) {
		made = create(ctx, "made", karpenterSpec)
		becomes(ctx, made, v1alpha1.ConditionStalled, v1alpha1.ReasonProvisionerMissing, "the cluster has no NodePool.karpenter.sh")
		machines = create(ctx, "machines", machinesSpec("workers", 2))
		becomes(ctx, machines, v1alpha1.ConditionStalled, v1alpha1.ReasonProvisionerMissing, "the cluster has no MachineDeployment.cluster.x-k8s.io")
		Expect(plane.Install(ctx, testkit.KarpenterNodePools, testkit.MachineDeployments)).To(Succeed())
	})

	It("of Karpenter have a NodePool like ours", func(ctx SpecContext) {
		change(ctx, made, func(s *v1alpha1.NodePoolSpec) { s.MaxUnavailable = ptr.To[int32](2) })
		becomes(ctx, made, v1alpha1.ConditionReady, v1alpha1.ReasonNoNodes, "Karpenter makes nodes as pods need them")
		theirs := stored("karpenter.sh/v1", "NodePool", "", "made")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		Expect(metav1.IsControlledBy(theirs, made)).To(BeTrue())
		Expect(spec(theirs)).To(MatchYAML(`
disruption: {budgets: [{nodes: "2"}], consolidateAfter: 5m, consolidationPolicy: WhenEmpty}
limits: {cpu: 1k}
template:
  metadata:
    labels:
      attribute.kdcos.node-restriction.kubernetes.io/public_ip: "true"
      kdcos.node-restriction.kubernetes.io/pool: made
      kdcos.node-restriction.kubernetes.io/role: slave_public
  spec:
    expireAfter: Never
    nodeClassRef: {group: karpenter.example, kind: Class, name: default}
    requirements:
    - {key: karpenter.sh/capacity-type, operator: In, values: [spot]}
    - {key: topology.kubernetes.io/zone, operator: In, values: [eu-1a]}
    taints:
    - {key: example.com/t, effect: NoExecute}
    - {key: kdcos.io/role, effect: NoSchedule, value: slave_public}
    - {key: nvidia.com/gpu, effect: NoSchedule}
    terminationGracePeriod: 660s
`))

		By("keeping what is said there only")
		before := theirs.DeepCopy()
		Expect(unstructured.SetNestedField(theirs.Object, int64(7), "spec", "weight")).To(Succeed())
		Expect(k8s.Patch(ctx, theirs, client.MergeFrom(before))).To(Succeed())
		change(ctx, made, func(s *v1alpha1.NodePoolSpec) { s.Role, s.Attributes, s.Scaling, s.Drain = "", nil, nil, nil })
		becomes(ctx, made, v1alpha1.ConditionReady, v1alpha1.ReasonNoNodes, "Karpenter")
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
			g.Expect(spec(theirs)).To(And(ContainSubstring("weight: 7"), Not(ContainSubstring("slave_public")), Not(ContainSubstring("limits")), Not(ContainSubstring("terminationGracePeriod"))))
		}).WithTimeout(30 * time.Second).Should(Succeed())

		By("its nodes")
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "of-karpenter", Labels: map[string]string{v1alpha1.KarpenterNodePoolLabel: "made"}}}
		Expect(k8s.Create(ctx, node)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, node)).To(Succeed()) })
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(node), node)).To(Succeed())
			g.Expect(node.Labels).To(HaveKeyWithValue(v1alpha1.NodePoolLabel, "made"))
		}).WithTimeout(30 * time.Second).Should(Succeed())
		becomes(ctx, made, v1alpha1.ConditionReady, v1alpha1.ReasonNodesNotReady, "0 of 1 nodes take work")

		By("saying what Karpenter says")
		Expect(unstructured.SetNestedSlice(theirs.Object, []any{map[string]any{
			"type": "Ready", "status": "False", "reason": "NodeClassNotReady", "message": "no such class", "lastTransitionTime": "2026-01-01T00:00:00Z",
		}}, "status", "conditions")).To(Succeed())
		Expect(k8s.Status().Update(ctx, theirs)).To(Succeed())
		change(ctx, made, func(s *v1alpha1.NodePoolSpec) { s.MaxUnavailable = nil })
		becomes(ctx, made, v1alpha1.ConditionReady, v1alpha1.ReasonProvisionerNotReady, "NodePool made: NodeClassNotReady: no such class")

		By("what Karpenter refuses")
		change(ctx, made, func(s *v1alpha1.NodePoolSpec) { s.Scaling = &v1alpha1.Scaling{Replicas: ptr.To[int32](2)} })
		becomes(ctx, made, v1alpha1.ConditionReady, v1alpha1.ReasonRefused, "Cannot transition NodePool between static (replicas set) and dynamic (replicas unset)")
	})

	It("of Karpenter that are somebody else's stay", func(ctx SpecContext) {
		theirs := stored("karpenter.sh/v1", "NodePool", "", "taken")
		theirs.Object["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{
			"requirements": []any{}, "nodeClassRef": map[string]any{"group": "a", "kind": "B", "name": "c"},
		}}}
		Expect(k8s.Create(ctx, theirs)).To(Succeed())
		version := theirs.GetResourceVersion()
		pool := create(ctx, "taken", karpenterSpec)
		becomes(ctx, pool, v1alpha1.ConditionReady, v1alpha1.ReasonNameConflict, "a NodePool taken of Karpenter that is somebody else's")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		Expect(theirs.GetResourceVersion()).To(Equal(version))
	})

	It("of Cluster API are scaled", func(ctx SpecContext) {
		change(ctx, machines, func(s *v1alpha1.NodePoolSpec) { s.MaxUnavailable = ptr.To[int32](2) })
		becomes(ctx, machines, v1alpha1.ConditionStalled, v1alpha1.ReasonProvisionerMissing, "there is no MachineDeployment default/workers")
		deployment := stored(clusterAPIVersion, "MachineDeployment", "default", "workers")
		template := map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"a": "b"}},
			"spec": map[string]any{
				"clusterName": "c", "bootstrap": map[string]any{"dataSecretName": "s"},
				"infrastructureRef": map[string]any{"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "DockerMachineTemplate", "name": "t"},
			},
		}
		deployment.Object["spec"] = map[string]any{
			"clusterName": "c", "replicas": int64(1), "template": template, "selector": map[string]any{"matchLabels": map[string]any{"a": "b"}},
		}
		Expect(k8s.Create(ctx, deployment)).To(Succeed())

		By("asking for the label of their nodes")
		change(ctx, machines, func(s *v1alpha1.NodePoolSpec) { s.MaxUnavailable = nil })
		becomes(ctx, machines, v1alpha1.ConditionStalled, v1alpha1.ReasonProvisionerNotReady, "its spec.template.metadata.labels need node.cluster.x-k8s.io/kdcos-pool: machines")
		before := deployment.DeepCopy()
		Expect(unstructured.SetNestedField(deployment.Object, "machines", "spec", "template", "metadata", "labels", v1alpha1.ClusterAPINodePoolLabel)).To(Succeed())
		Expect(k8s.Patch(ctx, deployment, client.MergeFrom(before))).To(Succeed())

		By("a number of replicas")
		change(ctx, machines, func(s *v1alpha1.NodePoolSpec) { s.Scaling.Replicas = ptr.To[int32](3) })
		becomes(ctx, machines, v1alpha1.ConditionReady, v1alpha1.ReasonProvisioning, "0 nodes, and 3 to be")
		looks := func(replicas int64, annotations map[string]string) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
				n, _, err := unstructured.NestedInt64(deployment.Object, "spec", "replicas")
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(n).To(Equal(replicas))
				g.Expect(deployment.GetAnnotations()).To(Equal(annotations))
			}).WithTimeout(30 * time.Second).Should(Succeed())
		}
		looks(3, nil)

		By("bounds of the autoscaler, and a number again")
		change(ctx, machines, func(s *v1alpha1.NodePoolSpec) {
			s.Scaling = &v1alpha1.Scaling{Min: ptr.To[int32](1), Max: ptr.To[int32](5)}
		})
		looks(3, map[string]string{
			"cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size": "1", "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size": "5",
		})
		change(ctx, machines, func(s *v1alpha1.NodePoolSpec) { s.Scaling = &v1alpha1.Scaling{Replicas: ptr.To[int32](0)} })
		looks(0, nil)
		becomes(ctx, machines, v1alpha1.ConditionReady, v1alpha1.ReasonNoNodes, "spec.scaling asks for none")
	})

	AfterAll(func(ctx SpecContext) {
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.NodePool{})).To(Succeed())
	})
})
