// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package image makes container images from static binaries, reads image archives, and loads them into nodes. It needs
// no container engine and no registry.
package image

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec says what an image holds.
type Spec struct {
	// References are the names of the image.
	References []string
	// Binaries are static programs; each is placed in the root directory under its own name.
	Binaries []string
	// Files are extra files, each SRC:DST.
	Files []string
	// Entrypoint defaults to the first binary.
	Entrypoint []string
	User       string
	Ports      []int
	Env        []string
}

// created is the time of everything in an image: the same content always gives the same digest.
var created = time.Unix(0, 0).UTC()

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/"

// Build makes the image.
func Build(s Spec) (v1.Image, error) {
	entries, architecture, err := collect(s)
	if err != nil {
		return nil, err
	}
	content, err := archive(entries)
	if err != nil {
		return nil, fmt.Errorf("build layer: %w", err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("build layer: %w", err)
	}
	img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: created}, CreatedBy: "localcluster image",
	}})
	if err != nil {
		return nil, fmt.Errorf("build image: %w", err)
	}
	img, err = mutate.ConfigFile(img, configFile(img, s, architecture))
	if err != nil {
		return nil, fmt.Errorf("build image: %w", err)
	}
	return img, nil
}

func configFile(img v1.Image, s Spec, architecture string) *v1.ConfigFile {
	config, err := img.ConfigFile()
	if err != nil {
		// An image that was built in memory has a configuration.
		panic(err)
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: created}
	config.OS, config.Architecture = "linux", architecture
	config.Config.User = s.User
	config.Config.Env = append([]string{searchPath}, s.Env...)
	config.Config.Entrypoint = s.Entrypoint
	if len(s.Entrypoint) == 0 && len(s.Binaries) > 0 {
		config.Config.Entrypoint = []string{inRoot(s.Binaries[0])}
	}
	config.Config.WorkingDir = "/"
	for _, port := range s.Ports {
		if config.Config.ExposedPorts == nil {
			config.Config.ExposedPorts = map[string]struct{}{}
		}
		config.Config.ExposedPorts[strconv.Itoa(port)+"/tcp"] = struct{}{}
	}
	return config
}

func inRoot(file string) string { return path.Join("/", path.Base(file)) }
