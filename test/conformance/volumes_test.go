// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var volumes = section{title: "Volumes", about: "Fields of `container.volumes[]`.", rows: []row{
	differs("container.volumes[].hostPath", "a path of the node, where the namespace [allows it](../policy.md); a relative one is of the sandbox").
		by("a host path is one of the node", "what reaches into the node needs a label of the namespace", "a relative host path is one of the sandbox"),
	kept("container.volumes[].containerPath", "relative ones are below `/mnt/mesos/sandbox`").by("a host path is one of the node"),
	kept("container.volumes[].mode", "`RO` or `RW`").by("a host path is one of the node"),
	kept("container.volumes", "").by("a host path is one of the node"),
	kept("container.volumes[].persistent", "a claim (PersistentVolumeClaim) for each instance, which stays when the app is scaled down, is taken up again, and goes with the app or by `kubectl kdcos wipe`. Cpus and memory of an instance that is down are not kept for it").
		by("a persistent volume keeps its data until it is wiped", "persistent volumes are held to Marathon's rules", "persistent volumes are claims"),
	differs("container.volumes[].persistent.type", "a StorageClass, where the operator has set one for the type; the cluster's default otherwise").by("persistent volumes are claims"),
	kept("container.volumes[].persistent.size", "MiB; as much as the storage keeps volumes to it. It may be raised where the StorageClass allows").
		by("persistent volumes are claims", "persistent volumes are held to Marathon's rules", "of a persistent volume only the size may change"),
	differs("container.volumes[].persistent.maxSize", "the limit of the claim: no disk is chosen from a range").
		by("persistent volumes are claims", "persistent volumes are held to Marathon's rules"),
	differs("container.volumes[].persistent.profileName", "the name of a StorageClass").by("persistent volumes are claims"),
	refused("container.volumes[].persistent.constraints", "Kubernetes knows no paths of disks: name a StorageClass in `profileName`").
		by("constraints on disks are refused", "persistent volumes are held to Marathon's rules"),
	differs("container.volumes[].external", "the claim of its name in the app's namespace, which outlasts the app").by("external volumes are claims of their names"),
	differs("container.volumes[].external.name", "must be one that Kubernetes allows. It is unique in a namespace, not in the datacenter; of two apps that do not share it, one waits").
		by("external volumes are claims of their names", "external volumes are held to Marathon's rules"),
	differs("container.volumes[].external.provider", "a claim of `dvdi` is made if it is missing; one of `csi` is made by who may, as its volume was").
		by("external volumes are claims of their names", "external volumes are held to Marathon's rules"),
	kept("container.volumes[].external.size", "GiB; 16 if nothing is said").by("external volumes are claims of their names"),
	kept("container.volumes[].external.shared", "the claim is ReadWriteMany").by("external volumes are claims of their names"),
	differs("container.volumes[].external.options", "`dvdi/driver` stands for a StorageClass, where the operator has set one for it. Others have no effect: the StorageClass has them").
		by("external volumes are claims of their names", "external volumes are held to Marathon's rules"),
	differs("container.volumes[].external.options.pluginName", "and `nodeStageSecret`, `nodePublishSecret`, `volumeContext`, and of the `capability` `fsType` and `mountFlags`: the PersistentVolume behind the claim says these. `accessMode` bounds the instances and makes mounts read-only; `accessType` block is refused").
		by("external volumes are claims of their names"),
	kept("container.volumes[].secret", "a file, also with the DOCKER engine").by("secrets are files"),
}}

var (
	_ = behaviour("a host path is one of the node", func(w *watcher) {
		seen := w.task(`"id": "host-path", "container": {` + image + `, "volumes": [
			{"containerPath": "/absolute", "hostPath": "/tmp", "mode": "RO"}, {"containerPath": "relative", "hostPath": "/tmp/kdcos-conformance", "mode": "RW"}]}`)
		w.Expect(seen.mount("/absolute")).To(MatchRegexp(`/absolute \S+ ro[, ]`))
		w.Expect(seen.mount("/mnt/mesos/sandbox/relative")).To(MatchRegexp(`/relative \S+ rw[, ]`))
	})
	_ = behaviour("a relative host path is one of the sandbox", func(w *watcher) {
		w.run(`"id": "relative-path", "cmd": "set -e; echo x > /conf/file; test -e $MESOS_SANDBOX/sub/conf/file; test -x /hello/hello.txt; exec /web",
			"fetch": [{"uri": "http://` + address(w.run(plain).pod()) + `/files/a.tgz"}], "container": {` + image + `, "volumes": [
			{"containerPath": "/conf", "hostPath": "sub/conf", "mode": "RW"}, {"containerPath": "/hello", "hostPath": "dir", "mode": "RO"}]}`)
	})
	_ = behaviour("a persistent volume keeps its data until it is wiped", func(w *watcher) {
		kept := func(cmd string, instances int) string {
			return fmt.Sprintf(`"id": "resident", "instances": %d, "cmd": "%s && exec /web", "container": {%s, "volumes": [
				{"containerPath": "data", "mode": "RW", "persistent": {"size": 5}}, {"containerPath": "/srv", "hostPath": "data/sub", "mode": "RW"}]}`, instances, cmd, image)
		}
		a := w.run(kept("echo x > $MESOS_SANDBOX/data/file && echo x > /srv/file", 2))
		finds := "test -e $MESOS_SANDBOX/data/file && test -e $MESOS_SANDBOX/data/sub/file"
		for _, instances := range []int{2, 0, 2} {
			a.put(kept(finds, instances))
			a.ready()
		}
		a.put(kept("test ! -e $MESOS_SANDBOX/data/file", 0))
		a.ready()
		w.tool("kubectl-kdcos", "wipe", "/"+w.namespace+"/resident", "--all")
		a.put(kept("test ! -e $MESOS_SANDBOX/data/file", 2))
		a.ready()
	})
	_ = behaviour("persistent volumes are claims", func(w *watcher) {
		a := w.start(`"id": "claims", "container": {` + image + `, "volumes": [{"containerPath": "data", "mode": "RW",
			"persistent": {"type": "mount", "size": 10, "maxSize": 20, "profileName": "nobody-has-this"}}]}`)
		a.says(v1alpha1.ReasonWaiting, "NoCorrespondingReservationFound")
		claim := w.claim(workload.ClaimName(a.get(), "data", 0))
		w.Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("10Mi"))
		w.Expect(claim.Spec.Resources.Limits.Storage().String()).To(Equal("20Mi"))
		w.Expect(claim.Spec.StorageClassName).To(HaveValue(Equal("nobody-has-this")))
	})
	_ = behaviour("of a persistent volume only the size may change", func(w *watcher) {
		volume := func(rest string) string {
			return `"id": "fixed-volume", "instances": 0, "container": {` + image + `, "volumes": [{"containerPath": "data", "mode": "RW", "persistent": {` + rest + `}}]}`
		}
		a := w.run(volume(`"size": 10`))
		for rest, message := range map[string]string{`"size": 9`: "smaller", `"size": 10, "type": "path"`: "only the size can change"} {
			wanted, err := w.read(volume(rest))
			w.Expect(err).NotTo(HaveOccurred())
			w.Eventually(func() string {
				object := a.get()
				object.Spec = wanted.Spec
				return fmt.Sprint(w.Update(w.t.Context(), object))
			}).Should(ContainSubstring(message))
		}
		a.put(volume(`"size": 11`))
		a.ready()
	})
	_ = behaviour("constraints on disks are refused", func(w *watcher) {
		w.stalls(`"id": "disks", `+ucr+`}, "volumes": [{"containerPath": "data", "mode": "RW", "persistent": {"type": "path", "size": 10, "constraints": [["path", "LIKE", "x"]]}}]}`,
			"spec.container.volumes[data].persistent.constraints")
	})
	_ = behaviour("external volumes are claims of their names", func(w *watcher) {
		const shared = `"containerPath": "/d", "mode": "RW", "external": {"name": "shared", "provider": "dvdi", "shared": true, "options": {"dvdi/driver": "pxd"}}`
		w.Expect(ptr.To(w.task(`"id": "shares", ` + ucr + `}, "volumes": [{` + shared + `}]}`)).mount("/d")).To(MatchRegexp(`/d \S+ rw[, ]`))
		claim := w.claim("shared")
		w.Expect(claim.Spec.AccessModes).To(Equal([]corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}))
		w.Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("16Gi"))
		w.Expect(claim.OwnerReferences).To(BeEmpty())
		w.run(`"id": "shares-too", ` + ucr + `}, "volumes": [{` + shared + `}]}`)
		a := w.start(`"id": "wants-alone", ` + ucr + `}, "volumes": [{"containerPath": "/d", "mode": "RW", "external": {"name": "shared", "provider": "dvdi", "size": 2, "options": {"dvdi/driver": "pxd"}}}]}`)
		a.says(v1alpha1.ReasonNameConflict, "the external volume shared is used by the App share")
		w.stalls(`"id": "misnamed", `+ucr+`}, "volumes": [{"containerPath": "/d", "mode": "RW", "external": {"name": "My_Volume", "provider": "dvdi", "options": {"dvdi/driver": "pxd"}}}]}`,
			"spec.container.volumes[/d].external.name")

		csi := func(id, kind string) string {
			return `"id": "` + id + `", ` + ucr + `}, "volumes": [{"containerPath": "/c", "mode": "RO", "external": {"name": "provided", "provider": "csi", "options": {"pluginName": "p",
				"capability": {"accessType": "` + kind + `", "accessMode": "MULTI_NODE_READER_ONLY", "fsType": "xfs"}, "volumeContext": {"a": "b"}}}}]}`
		}
		b := w.start(csi("csi", "mount"))
		b.says(v1alpha1.ReasonWaiting, "provided")
		provided := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "provided"}, Spec: *claim.Spec.DeepCopy()}
		provided.Spec.VolumeName = ""
		w.Expect(w.Create(w.t.Context(), provided)).To(Succeed())
		b.ready()
		w.Expect(ptr.To(b.inspect()).mount("/c")).To(MatchRegexp(`/c \S+ ro[, ]`))
		w.stalls(csi("csi-block", "block"), "accessType")
	})
	_ = behaviour("persistent volumes are held to Marathon's rules", func(w *watcher) {
		for members, refusal := range map[string][2]string{
			`"containerPath": "a/b", "mode": "RW", "persistent": {"size": 1}`:                                       {"/containerPath", `value must not contain "/"`},
			`"containerPath": "..", "mode": "RW", "persistent": {"size": 1}`:                                        {"/containerPath", "can not be one of (.,..)"},
			`"containerPath": "a", "mode": "RO", "persistent": {"size": 1}`:                                         {"/mode", "does not equal RW"},
			`"containerPath": "a", "mode": "RW", "persistent": {"size": 0}`:                                         {"/persistent/size", "expected more than 0"},
			`"containerPath": "a", "mode": "RW", "persistent": {"size": 1, "maxSize": 2}`:                           {"/persistent", "Only mount volumes can have maxSize"},
			`"containerPath": "a", "mode": "RW", "persistent": {"size": 1, "constraints": [["path", "LIKE", "x"]]}`: {"/persistent", "Constraints on root volumes are not supported"},
		} {
			w.refuses(`"id": "x", `+ucr+`}, "volumes": [{`+members+`}]}`, "/container/volumes(0)"+refusal[0], refusal[1])
		}
		const volume = `"container": {"docker": {"image": "a"}, "volumes": [{"containerPath": "a", "mode": "RW", "persistent": {"size": 1}}]}`
		w.refuses(`"id": "x", "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5}, `+volume, "/upgradeStrategy/maximumOverCapacity", "got 0.5, expected 0.0")
		w.refuses(`"id": "x", "acceptedResourceRoles": ["slave_public"], `+volume, "/acceptedResourceRoles", "A resident app must have")
	})
	_ = behaviour("external volumes are held to Marathon's rules", func(w *watcher) {
		const volume = `"id": "x", "container": {"docker": {"image": "a"}, "volumes": [{"containerPath": "/a", "mode": "RW", "external": `
		w.refuses(volume+`{"name": "v", "provider": "dvdi", "options": {}}}]}`, "/container/volumes(0)/external/options(\"dvdi/driver\")", "not defined")
		w.refuses(volume+`{"name": "", "provider": "dvdi", "options": {"dvdi/driver": "x"}}}]}`, "/container/volumes(0)/external/name", "")
		w.refuses(volume+`{"name": "v", "provider": "nfs", "options": {"dvdi/driver": "x"}}}]}`, "/container/volumes(0)/external/provider", "is unknown provider")
	})
)

// claim waits for a claim.
func (w *watcher) claim(name string) *corev1.PersistentVolumeClaim {
	w.t.Helper()
	claim := &corev1.PersistentVolumeClaim{}
	w.Eventually(func() error {
		return w.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, claim)
	}).Should(Succeed())
	return claim
}
