// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package provisioner gives the claims of a real cluster directories of the disks of its nodes. It runs beside the
// control plane, where the disks of all nodes are in reach.
package provisioner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const (
	// Program is the name of the service.
	Program = "provisioner"
	// Command is the name of the command that runs it.
	Command = "provision"
	// Class is the name of the storage class, the default one.
	Class = "local"
	// name is what claims know the provisioner by.
	name = "localcluster.kdcos.io/directory"
	// volumes is where a node sees its volumes: on its disk, which outlasts its being stopped.
	volumes = "/var/lib/volumes"
)

// volumeMode lets any user write: a volume belongs to whoever claims it.
const volumeMode = 0o777

// EnsureClass makes the default storage class. Volumes are made once it is known on which node.
func EnsureClass(ctx context.Context, client kubernetes.Interface) error {
	mode, policy := storagev1.VolumeBindingWaitForFirstConsumer, corev1.PersistentVolumeReclaimDelete
	_, err := client.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: Class, Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner:       name,
		VolumeBindingMode: &mode,
		ReclaimPolicy:     &policy,
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make the storage class: %w", err)
	}
	return nil
}

// Run provisions until the context ends. machines is the directory that has those of the nodes, by their names.
func Run(ctx context.Context, kubeconfig, machines string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	ctx = klog.NewContext(ctx, klog.Background())
	controller.NewProvisionController(ctx, client, name, directories(machines), controller.LeaderElection(false)).Run(ctx)
	return nil
}

// directories is the directory that has those of the nodes.
type directories string

// of is a volume as the host sees it.
func (d directories) of(node, volume string) string {
	return filepath.Join(string(d), node, volumes, volume)
}

// Provision makes the directory of a volume.
func (d directories) Provision(_ context.Context, o controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	if o.SelectedNodeName == "" {
		return nil, controller.ProvisioningFinished, fmt.Errorf("no node was selected for the claim")
	}
	dir := d.of(o.SelectedNodeName, o.PVName)
	if err := os.MkdirAll(dir, volumeMode); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("make volume: %w", err)
	}
	if err := os.Chmod(dir, volumeMode); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("make volume: %w", err)
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			VolumeMode:                    o.PVC.Spec.VolumeMode,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: filepath.Join(volumes, o.PVName)}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{o.SelectedNodeName},
				}},
			}}}},
		},
	}, controller.ProvisioningFinished, nil
}

// Delete removes the directory of a volume, with what is in it.
func (d directories) Delete(_ context.Context, pv *corev1.PersistentVolume) error {
	for _, term := range pv.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, e := range term.MatchExpressions {
			if err := os.RemoveAll(d.of(e.Values[0], pv.Name)); err != nil {
				return fmt.Errorf("remove volume: %w", err)
			}
		}
	}
	return nil
}
