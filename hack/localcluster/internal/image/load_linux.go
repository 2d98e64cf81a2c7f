// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Runtime is the container runtime of one node.
type Runtime struct {
	// Socket is containerd's, as seen from here.
	Socket string
	// CTR is the path of containerd's client program, Env its environment.
	CTR string
	Env []string
}

const pollPause = 20 * time.Millisecond

func (r Runtime) connect() (*grpc.ClientConn, cri.ImageServiceClient, error) {
	conn, err := grpc.NewClient("unix://"+r.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to containerd: %w", err)
	}
	return conn, cri.NewImageServiceClient(conn), nil
}

// WaitReady waits until the runtime answers.
func (r Runtime) WaitReady(ctx context.Context) error {
	for {
		err := r.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("containerd does not answer: %w (%w)", err, ctx.Err())
		case <-time.After(pollPause):
		}
	}
}

// ask makes a connection of its own: one that failed would wait longer and longer before it tries again.
func (r Runtime) ask(ctx context.Context) error {
	conn, images, err := r.connect()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	_, err = images.ImageFsInfo(ctx, &cri.ImageFsInfoRequest{})
	return err
}

// Load imports the archive, unless all its images are there already. It returns when pods can use them.
func (r Runtime) Load(ctx context.Context, file string, contents []Content) (skipped bool, err error) {
	conn, images, err := r.connect()
	if err != nil {
		return false, err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	if ok, err := hasAll(ctx, images, contents); err != nil || ok {
		return ok, err
	}
	cmd := exec.CommandContext(ctx, r.CTR, "--address", r.Socket, "--namespace", "k8s.io", "images", "import", file)
	cmd.Env = r.Env
	if output, err := cmd.CombinedOutput(); err != nil {
		return false, fmt.Errorf("import %s: %w: %s", file, err, strings.TrimSpace(string(output)))
	}
	// The runtime learns of an import by an event: a pod that starts before would find no image.
	for {
		ok, err := hasAll(ctx, images, contents)
		if err != nil || ok {
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("import %s: the images do not show up: %w", file, ctx.Err())
		case <-time.After(pollPause):
		}
	}
}

func hasAll(ctx context.Context, images cri.ImageServiceClient, contents []Content) (bool, error) {
	for _, content := range contents {
		for _, reference := range content.References {
			answer, err := images.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: reference}})
			if err != nil {
				return false, fmt.Errorf("look for image %s: %w", reference, err)
			}
			if answer.GetImage().GetId() != content.ID {
				return false, nil
			}
		}
	}
	return true, nil
}
