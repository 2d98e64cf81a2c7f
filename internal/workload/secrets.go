// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// SecretKey is the key of a Secret's data that holds what DC/OS called the
// value of a secret.
const SecretKey = "value"

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// SecretName is the name of the Secret that stands for a secret of DC/OS: its
// path with dots for slashes, or where that is no name or not the only such
// path, a short form of it with a hash.
func SecretName(source string) string {
	name := strings.Join(pathid.Segments(source), ".")
	if !strings.Contains(source, ".") && len(validation.IsDNS1123Subdomain(name)) == 0 {
		return name
	}
	short := strings.Trim(notInName.ReplaceAllString(strings.ToLower(name), "-"), "-")
	return strings.Trim(slug(short, 52)+"-"+digest(pathid.Clean(source)), "-")
}

// mayUse is DC/OS' rule of spaces: a secret is for the service at the place
// where it is and for those below, one without a place for all.
func mayUse(id, source string) error {
	space := pathid.Parent(source)
	if space == pathid.Root || id == space || strings.HasPrefix(id, space+"/") {
		return nil
	}
	return fmt.Errorf("a secret in the space %s is for services at %s and below it", space, space)
}

// secretNamed is the name of the Secret for what the app calls by a name.
func secretNamed(spec *v1alpha1.AppSpec, name string) (string, error) {
	for i := range spec.Secrets {
		if spec.Secrets[i].Name == name {
			return SecretName(spec.Secrets[i].Source), nil
		}
	}
	return "", fmt.Errorf("%q is no entry of secrets", name)
}

// addPullSecret lets the kubelet pull the image with what the app names. The
// Secret is one of Kubernetes' own type, which holds the same config.json.
func addPullSecret(pod *corev1ac.PodSpecApplyConfiguration, spec *v1alpha1.AppSpec) error {
	if !hasImage(spec) || spec.Container.Docker.PullConfig == nil {
		return nil
	}
	name, err := secretNamed(spec, spec.Container.Docker.PullConfig.Secret)
	if err != nil {
		return fmt.Errorf("container.docker.pullConfig.secret: %w", err)
	}
	if slices.ContainsFunc(pod.ImagePullSecrets, func(r corev1ac.LocalObjectReferenceApplyConfiguration) bool { return *r.Name == name }) {
		return nil // for another container
	}
	pod.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(name))
	return nil
}

// SecretFiles are the names of the Secrets that a task has as files: its node
// does not start it without them, and does not say why.
func SecretFiles(spec *v1alpha1.AppSpec) []string {
	var names []string
	for i := range spec.Volumes {
		if s := spec.Volumes[i].Secret; s != nil {
			if name, err := secretNamed(spec, *s); err == nil {
				names = append(names, name)
			}
		}
	}
	if spec.Container == nil {
		return names
	}
	for i := range spec.Container.Volumes {
		if s := spec.Container.Volumes[i].Secret; s != nil {
			if name, err := secretNamed(spec, *s); err == nil {
				names = append(names, name)
			}
		}
	}
	return names
}

// secrets refuses those of other services.
func (u *refusals) secrets(app *v1alpha1.App, id string) {
	for i := range app.Spec.Secrets {
		s := &app.Spec.Secrets[i]
		if err := mayUse(id, s.Source); err != nil {
			*u = append(*u, fmt.Sprintf("spec.secrets[%s].source: %s", s.Name, err))
		}
	}
}
