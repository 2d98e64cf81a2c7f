// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Content is one image of an archive.
type Content struct {
	// References are the names it gets when it is loaded.
	References []string
	// ID is the digest of its configuration, by which a container runtime knows it.
	ID string
}

// Annotations of OCI archives that name an image.
const (
	fullNameAnnotation = "io.containerd.image.name"
	nameAnnotation     = "org.opencontainers.image.ref.name"
)

// Inspect lists the images of a docker-archive or OCI archive, compressed or not.
func Inspect(file string) ([]Content, error) {
	documents, err := readDocuments(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	var contents []Content
	switch {
	// Archives of newer Docker versions are both; container runtimes then look at the OCI side.
	case documents["oci-layout"] != nil && documents["index.json"] != nil:
		contents, err = inspectOCI(documents)
	case documents["manifest.json"] != nil:
		contents, err = inspectDocker(documents)
	default:
		err = errors.New("neither a docker-archive nor an OCI archive")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return contents, nil
}

// maxDocument is more than any manifest or image configuration; layers are larger or, if not, do no harm.
const maxDocument = 1 << 20

// readDocuments returns the small files of an archive.
func readDocuments(file string) (map[string][]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	stream, err := decompress(f)
	if err != nil {
		return nil, err
	}
	documents := map[string][]byte{}
	for archive := tar.NewReader(stream); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg || header.Size > maxDocument {
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		documents[path.Clean(header.Name)] = data
	}
}

func decompress(f io.ReadSeeker) (io.Reader, error) {
	magic := make([]byte, 2)
	if _, err := io.ReadFull(f, magic); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return gzip.NewReader(f)
	}
	return f, nil
}

func inspectDocker(documents map[string][]byte) ([]Content, error) {
	var manifests []struct {
		Config   string
		RepoTags []string
	}
	if err := json.Unmarshal(documents["manifest.json"], &manifests); err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	var contents []Content
	for _, manifest := range manifests {
		config, ok := documents[path.Clean(manifest.Config)]
		if !ok {
			return nil, fmt.Errorf("the configuration %s is missing", manifest.Config)
		}
		id, _, err := v1.SHA256(bytes.NewReader(config))
		if err != nil {
			return nil, err
		}
		contents = append(contents, Content{References: manifest.RepoTags, ID: id.String()})
	}
	return contents, nil
}

func inspectOCI(documents map[string][]byte) ([]Content, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(documents["index.json"]))
	if err != nil {
		return nil, fmt.Errorf("parse index: %w", err)
	}
	byID := map[string]int{}
	var contents []Content
	for _, descriptor := range index.Manifests {
		reference := ociReference(descriptor.Annotations)
		if reference == "" {
			continue
		}
		id, err := ociID(documents, descriptor)
		if err != nil {
			return nil, err
		}
		at, ok := byID[id]
		if !ok {
			at = len(contents)
			byID[id] = at
			contents = append(contents, Content{ID: id})
		}
		contents[at].References = append(contents[at].References, reference)
	}
	if len(contents) == 0 {
		return nil, errors.New("no image in the archive has a full name")
	}
	return contents, nil
}

// ociReference returns the name of an image. Some tools write only a tag to the standard annotation, which names
// nothing by itself.
func ociReference(annotations map[string]string) string {
	if full := annotations[fullNameAnnotation]; full != "" {
		return full
	}
	if reference := annotations[nameAnnotation]; strings.ContainsAny(reference, ":/@") {
		return reference
	}
	return ""
}

// ociID follows indexes down to the image for this machine.
func ociID(documents map[string][]byte, descriptor v1.Descriptor) (string, error) {
	data, ok := documents["blobs/"+descriptor.Digest.Algorithm+"/"+descriptor.Digest.Hex]
	if !ok {
		return "", fmt.Errorf("the manifest %s is missing", descriptor.Digest)
	}
	if !descriptor.MediaType.IsIndex() {
		manifest, err := v1.ParseManifest(bytes.NewReader(data))
		if err != nil {
			return "", fmt.Errorf("parse manifest: %w", err)
		}
		return manifest.Config.Digest.String(), nil
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("parse index: %w", err)
	}
	for _, child := range index.Manifests {
		if child.Platform != nil && child.Platform.OS == "linux" && child.Platform.Architecture == runtime.GOARCH {
			return ociID(documents, child)
		}
	}
	return "", fmt.Errorf("no image for linux/%s in the archive", runtime.GOARCH)
}

// References lists the names in the archive for messages.
func References(contents []Content) string {
	var all []string
	for _, content := range contents {
		all = append(all, content.References...)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
