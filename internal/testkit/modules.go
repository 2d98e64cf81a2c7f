// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Definition is a custom resource definition that somebody else publishes, in a
// module of Go. None is kept here.
type Definition struct{ module, version, file string }

// Definitions of what makes nodes.
var (
	KarpenterNodePools = Definition{"sigs.k8s.io/karpenter", "v1.14.0", "pkg/apis/crds/karpenter.sh_nodepools.yaml"}
	MachineDeployments = Definition{"sigs.k8s.io/cluster-api", "v1.14.2", "core/config/crd/bases/cluster.x-k8s.io_machinedeployments.yaml"}
)

// Install installs definitions of others.
func (p *ControlPlane) Install(ctx context.Context, definitions ...Definition) error {
	var files []string
	for _, d := range definitions {
		dir, err := d.download(ctx)
		if err != nil {
			return err
		}
		files = append(files, filepath.Join(dir, filepath.FromSlash(d.file)))
	}
	_, err := envtest.InstallCRDs(p.Admin, envtest.CRDInstallOptions{Paths: files, ErrorIfPathMissing: true})
	return err
}

// download brings the module, once for this machine, and returns its directory.
func (d Definition) download(ctx context.Context) (string, error) {
	module := d.module + "@" + d.version
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module) //nolint:gosec // of this project
	command.Stderr = &stderr
	out, err := command.Output()
	var answer struct{ Dir, Error string }
	if json.Unmarshal(out, &answer) == nil && answer.Error != "" {
		return "", fmt.Errorf("download %s: %s", module, answer.Error)
	}
	if err != nil {
		return "", fmt.Errorf("download %s: %w: %s", module, err, stderr.String())
	}
	return answer.Dir, nil
}
