// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clusterdns gives a real cluster the DNS server that clusters have: CoreDNS, for cluster.local, under the names
// and in the form that kubeadm gives it.
package clusterdns

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"text/template"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kdcos/kdcos/hack/localcluster/internal/image"
)

// reference of the image, which is built here and loaded into every node.
const reference = "localcluster.kdcos.io/coredns:1"

//go:embed clusterdns.yaml
var manifest string

var manifestTemplate = template.Must(template.New("clusterdns").Option("missingkey=error").Parse(manifest))

// Archive builds the image of the program into a file.
func Archive(file, bin string) error {
	_, err := image.WriteArchive(file, image.Spec{
		References: []string{reference},
		Binaries:   []string{filepath.Join(bin, "coredns")},
		User:       "65535:65535",
	})
	if err != nil {
		return fmt.Errorf("make the image of CoreDNS: %w", err)
	}
	return nil
}

// Ensure makes what is missing. What is there stays as it is: its configuration is there to be changed.
func Ensure(ctx context.Context, kubeconfig string, address netip.Addr) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	objects, err := objects(address)
	if err != nil {
		return err
	}
	for _, o := range objects {
		resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
		objects := client.Resource(resource).Namespace(o.GetNamespace())
		// A second Service is refused for its address before its name is looked at.
		_, err := objects.Get(ctx, o.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = objects.Create(ctx, o, metav1.CreateOptions{})
		}
		if err != nil {
			return fmt.Errorf("make %s %s of the cluster's DNS: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

// objects are those of the server at the address.
func objects(address netip.Addr) ([]*unstructured.Unstructured, error) {
	var text bytes.Buffer
	if err := manifestTemplate.Execute(&text, map[string]string{"Address": address.String(), "Image": reference}); err != nil {
		return nil, fmt.Errorf("write the manifest of CoreDNS: %w", err)
	}
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(&text, text.Len())
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the manifest of CoreDNS: %w", err)
		}
		all = append(all, object)
	}
}
