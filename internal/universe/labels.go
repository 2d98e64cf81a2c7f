// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"strings"
)

// The labels by which Cosmos knew what it had installed. They are the record:
// an app that has them is an installed package, whoever made it.
const (
	LabelName       = "DCOS_PACKAGE_NAME"
	LabelVersion    = "DCOS_PACKAGE_VERSION"
	LabelSource     = "DCOS_PACKAGE_SOURCE"
	LabelOptions    = "DCOS_PACKAGE_OPTIONS"
	LabelDefinition = "DCOS_PACKAGE_DEFINITION"
)

// Installed is what the labels of an app tell of its package.
type Installed struct {
	Name, Version string
	// Source is the URI of the repository.
	Source string
	// Options are those that the user gave, without defaults. Whoever may read the
	// app may read them: leave out secrets before Label.
	Options map[string]any
	// Package is the definition, so that the repository is not asked again. Apps
	// of Cosmos before 0.6 have none.
	Package *Package
}

// Label returns an app of Render with the labels of its package; they win over
// those of the template. An id replaces that of the template, "" leaves it. The
// app does not change.
//
// The definition is compressed. Its bytes may change with the release of Go:
// compare what ReadLabels returns.
func (p *Package) Label(app map[string]any, id, source string, options map[string]any) (map[string]any, error) {
	given, err := encode(withoutNulls(options))
	if err != nil {
		return nil, fmt.Errorf("encode options: %w", err)
	}
	definition, err := p.envelope()
	if err != nil {
		return nil, fmt.Errorf("encode package %s: %w", p.Name, err)
	}
	labels := map[string]any{
		LabelName:       p.Name,
		LabelVersion:    p.Version,
		LabelSource:     source,
		LabelOptions:    base64.StdEncoding.EncodeToString(given),
		LabelDefinition: base64.StdEncoding.EncodeToString(definition),
	}
	out := maps.Clone(app)
	if id != "" {
		out["id"] = "/" + strings.TrimPrefix(id, "/")
	}
	return Merge(out, map[string]any{"labels": labels}), nil
}

// withoutNulls removes members that are null.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutNulls(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			if v[k] != nil {
				out[k] = withoutNulls(v[k])
			}
		}
		return out
	}
	return value
}

// envelope is how Cosmos stored a package.
type envelope struct {
	Metadata map[string]string `json:"metadata"`
	Data     []byte            `json:"data"`
}

func (p *Package) envelope() ([]byte, error) {
	data, err := encode(p)
	if err != nil {
		return nil, err
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	major, _, _ := strings.Cut(p.PackagingVersion, ".")
	return encode(envelope{
		Metadata: map[string]string{
			"Content-Type":     packageType + ";charset=utf-8;version=v" + major,
			"Content-Encoding": "gzip",
		},
		Data: zipped.Bytes(),
	})
}

// ReadLabels returns what the labels of an app tell of its package, nil if it is
// of none. The error names the label that can't be read.
func ReadLabels(labels map[string]string) (*Installed, error) {
	if labels[LabelName] == "" {
		return nil, nil
	}
	out := &Installed{Name: labels[LabelName], Version: labels[LabelVersion], Source: labels[LabelSource]}
	if label, ok := labels[LabelOptions]; ok {
		data, err := base64.StdEncoding.DecodeString(label)
		if err != nil {
			return nil, fmt.Errorf("label %s: must be base64", LabelOptions)
		}
		if out.Options, err = ParseOptions(data); err != nil {
			return nil, fmt.Errorf("label %s: %w", LabelOptions, err)
		}
	}
	if label, ok := labels[LabelDefinition]; ok {
		var err error
		if out.Package, err = readEnvelope(label); err != nil {
			return nil, fmt.Errorf("label %s: %w", LabelDefinition, err)
		}
	}
	return out, nil
}

func readEnvelope(label string) (*Package, error) {
	data, err := base64.StdEncoding.DecodeString(label)
	if err != nil {
		return nil, errors.New("must be base64")
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, errors.New("must be JSON with metadata and data")
	}
	if kind, _, err := mime.ParseMediaType(e.Metadata["Content-Type"]); err != nil || kind != packageType {
		return nil, fmt.Errorf("content type %q: must be %s", shorten(e.Metadata["Content-Type"]), packageType)
	}
	switch encoding := e.Metadata["Content-Encoding"]; encoding {
	case "":
		return DecodePackage(e.Data)
	case "gzip":
		zipped, err := gzip.NewReader(bytes.NewReader(e.Data))
		if err != nil {
			return nil, fmt.Errorf("unzip: %w", err)
		}
		// One byte more than a package may have, and DecodePackage refuses it.
		text, err := io.ReadAll(io.LimitReader(zipped, maxPackage+1))
		if err != nil {
			return nil, fmt.Errorf("unzip: %w", err)
		}
		return DecodePackage(text)
	default:
		return nil, fmt.Errorf("content encoding %q: must be gzip", shorten(encoding))
	}
}
