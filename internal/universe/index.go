// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"
)

const (
	repoType    = "application/vnd.dcos.universe.repo+json"
	packageType = "application/vnd.dcos.universe.package+json"
)

// Accept is the header with which Cosmos asked for an index: a repository
// chooses the format by it.
const Accept = repoType + ";charset=utf-8;version=v5," + repoType + ";charset=utf-8;version=v4," + repoType + ";charset=utf-8;version=v3"

// maxRejected is how many packages that can't be read are told of.
const maxRejected = 1000

// CheckContentType says what is wrong with the Content-Type of an index. What
// version it has does not matter: each package tells its own.
func CheckContentType(header string) error {
	kind, params, err := mime.ParseMediaType(header)
	if err != nil || kind != repoType {
		return fmt.Errorf("content type %q is none of a repository: must be %s", shorten(header), repoType)
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return fmt.Errorf("charset %q of the repository: must be utf-8", shorten(charset))
	}
	switch version := params["version"]; version {
	case "", "v3", "v4", "v5":
		return nil
	default:
		return fmt.Errorf("version %q of the repository's format: must be v3, v4 or v5", shorten(version))
	}
}

// Index is what a repository has.
type Index struct {
	// Packages are those that can be read, in the order of the repository.
	Packages []*Package
	// Rejected says why others can't, of the first thousand of them.
	Rejected []*Error
	// Untold is how many more can't.
	Untold int
}

// DecodeIndex reads {"packages": […]}. What is wrong with one package does not
// stop the others; the error is for what is no index at all.
func DecodeIndex(data []byte) (*Index, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := expect(decoder, '{'); err != nil {
		return nil, fmt.Errorf("index: must be a JSON object: %w", err)
	}
	var out *Index
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		if key == "packages" {
			if out, err = readPackages(decoder); err != nil {
				return nil, fmt.Errorf("index: packages: %w", err)
			}
			continue
		}
		var ignored json.RawMessage
		if err := decoder.Decode(&ignored); err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
	}
	if err := expect(decoder, '}'); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if out == nil {
		return nil, errors.New("index: packages: is missing")
	}
	return out, nil
}

func readPackages(decoder *json.Decoder) (*Index, error) {
	if err := expect(decoder, '['); err != nil {
		return nil, fmt.Errorf("must be an array: %w", err)
	}
	out := &Index{}
	for i := 0; decoder.More(); i++ {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, err
		}
		p, err := DecodePackage(raw)
		if err == nil {
			out.Packages = append(out.Packages, p)
			continue
		}
		var refusal *Error
		if !errors.As(err, &refusal) {
			return nil, err
		}
		if refusal.Package == "" {
			refusal.Package = fmt.Sprintf("at packages[%d]", i)
		}
		if len(out.Rejected) == maxRejected {
			out.Untold++
			continue
		}
		out.Rejected = append(out.Rejected, refusal)
	}
	return out, expect(decoder, ']')
}

func expect(decoder *json.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("unexpected %s", shorten(fmt.Sprint(token)))
	}
	return nil
}
