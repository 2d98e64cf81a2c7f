// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// WriteArchive builds the image and writes it as a docker-archive. It returns the image's id, the digest of its
// configuration. The same image under the same names always gives the same bytes.
func WriteArchive(file string, s Spec) (v1.Hash, error) {
	tags, err := normalize(s.References)
	if err != nil {
		return v1.Hash{}, err
	}
	img, err := Build(s)
	if err != nil {
		return v1.Hash{}, err
	}
	half := file + ".half"
	if err := writeDockerArchive(half, img, tags); err != nil {
		return v1.Hash{}, fmt.Errorf("write archive: %w", err)
	}
	if err := os.Rename(half, file); err != nil {
		return v1.Hash{}, fmt.Errorf("write archive: %w", err)
	}
	return img.ConfigName()
}

func normalize(references []string) ([]string, error) {
	var tags []string
	for _, text := range references {
		tag, err := name.NewTag(text)
		if err != nil {
			return nil, fmt.Errorf("parse image name: %w", err)
		}
		// A name without a tag means the latest, which an archive has to spell out.
		full := tag.String()
		if suffix := ":" + tag.TagStr(); !strings.HasSuffix(full, suffix) {
			full += suffix
		}
		tags = append(tags, full)
	}
	if len(tags) == 0 {
		return nil, errors.New("an image needs a name")
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// dockerManifest is one image in manifest.json.
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func writeDockerArchive(file string, img v1.Image, tags []string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := tar.NewWriter(f)
	defer func() { err = errors.Join(err, w.Close()) }()

	id, err := img.ConfigName()
	if err != nil {
		return err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	manifest := dockerManifest{Config: id.Hex + ".json", RepoTags: tags}
	if err := addFile(w, manifest.Config, config); err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		stream, err := layer.Compressed()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(stream)
		if err := errors.Join(err, stream.Close()); err != nil {
			return err
		}
		path := digest.Hex + ".tar.gz"
		manifest.Layers = append(manifest.Layers, path)
		if err := addFile(w, path, content); err != nil {
			return err
		}
	}
	data, err := json.Marshal([]dockerManifest{manifest})
	if err != nil {
		return err
	}
	return addFile(w, "manifest.json", data)
}

func addFile(w *tar.Writer, path string, content []byte) error {
	err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(content)), ModTime: created, Typeflag: tar.TypeReg})
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
