// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package provisioner

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

func TestVolumeIsADirectoryOfItsNode(t *testing.T) {
	machines := t.TempDir()
	d := directories(machines)
	policy := corev1.PersistentVolumeReclaimDelete
	pv, _, err := d.Provision(t.Context(), controller.ProvisionOptions{
		StorageClass:     &storagev1.StorageClass{ReclaimPolicy: &policy},
		PVName:           "pvc-1",
		PVC:              &corev1.PersistentVolumeClaim{},
		SelectedNodeName: "private-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if pv.Spec.Local.Path != "/var/lib/volumes/pvc-1" {
		t.Errorf("the node looks at %s", pv.Spec.Local.Path)
	}
	dir := filepath.Join(machines, "private-1", "var/lib/volumes/pvc-1")
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != volumeMode {
		t.Fatalf("%v, %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(t.Context(), pv); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestNoVolumeWithoutANode(t *testing.T) {
	if _, _, err := directories(t.TempDir()).Provision(t.Context(), controller.ProvisionOptions{PVName: "pvc-1"}); err == nil {
		t.Error("a volume of no node")
	}
}

func TestEnsureClassTwice(t *testing.T) {
	client := fake.NewClientset()
	for range 2 {
		if err := EnsureClass(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
}
