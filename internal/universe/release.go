// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// DCOSRelease is a release of DC/OS, such as 2.1 or 1.10-dev.
type DCOSRelease struct {
	numbers []int32
	suffix  string
}

var releaseFormat = regexp.MustCompile(`^((?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*)(?:-([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)

// ParseDCOSRelease reads a release.
func ParseDCOSRelease(s string) (DCOSRelease, error) {
	parts := releaseFormat.FindStringSubmatch(s)
	if parts == nil || len(s) > maxName {
		return DCOSRelease{}, fmt.Errorf("%q is no release of DC/OS: must be numbers with dots between, such as 2.1", shorten(s))
	}
	out := DCOSRelease{suffix: parts[2]}
	for _, digits := range strings.Split(parts[1], ".") {
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil {
			return DCOSRelease{}, fmt.Errorf("%q is no release of DC/OS: a number is too large", shorten(s))
		}
		out.numbers = append(out.numbers, int32(n))
	}
	return out, nil
}

// String returns the release as it is written.
func (r DCOSRelease) String() string {
	parts := make([]string, len(r.numbers))
	for i, n := range r.numbers {
		parts[i] = strconv.Itoa(int(n))
	}
	s := strings.Join(parts, ".")
	if r.suffix != "" {
		s += "-" + r.suffix
	}
	return s
}

// Compare orders releases by their numbers: 1.9 is 1.9.0, and a suffix does not
// count.
func (r DCOSRelease) Compare(other DCOSRelease) int {
	for i := range max(len(r.numbers), len(other.numbers)) {
		var a, b int32
		if i < len(r.numbers) {
			a = r.numbers[i]
		}
		if i < len(other.numbers) {
			b = other.numbers[i]
		}
		if c := cmp.Compare(a, b); c != 0 {
			return c
		}
	}
	return 0
}

// MarshalJSON encodes the release as a text.
func (r DCOSRelease) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }
