// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxDepth is how deep JSON may nest. The deepest package recorded has 19.
	maxDepth = 64
	// maxNumber is how many characters a number may have.
	maxNumber = 400
)

// parse returns the one JSON value that data is. Of members of the same name
// the last counts. Numbers are json.Number, whole ones without fraction and
// exponent: 512.0 and 1e3 are integers, as they were for Cosmos.
func parse(data []byte) (any, error) {
	var document any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	err := decoder.Decode(&document)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return canonical(document, document, nil)
		}
		err = errors.New("there is more than one JSON value")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("unexpected end of input")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		before := data[:min(max(int(syntax.Offset), 0), len(data))]
		return nil, fmt.Errorf("line %d: %w", 1+bytes.Count(before, []byte("\n")), err)
	}
	return nil, err
}

// canonical makes all numbers of a value canonical, in place. The path is where
// in the document the value is.
func canonical(document, value any, path []string) (any, error) {
	if len(path) > maxDepth {
		return nil, fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	var err error
	switch v := value.(type) {
	case json.Number:
		n, ok := number(v)
		if !ok {
			return nil, errors.New(Problem{pathOf(path, document), "number is out of range"}.String())
		}
		return n, nil
	case []any:
		for i := range v {
			if v[i], err = canonical(document, v[i], append(path, strconv.Itoa(i))); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		// In order, so that the same value always gives the same error.
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if v[k], err = canonical(document, v[k], append(path, k)); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// number returns the canonical form of a number. What a double can't hold is
// refused: the exact value of 1e999999999 would fill the memory.
func number(n json.Number) (out json.Number, ok bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(string(n)), "e")
	zero := strings.Trim(mantissa, "-0.") == ""
	switch {
	case len(n) > maxNumber || err != nil || f == 0 && !zero:
		return "", false
	case zero:
		return "0", true
	case !strings.ContainsAny(string(n), ".eE"):
		return n, true
	}
	exact, ok := new(big.Rat).SetString(string(n))
	if ok && exact.IsInt() {
		return json.Number(exact.Num().String()), true
	}
	return n, ok
}

// encode returns the JSON of a value without escapes for HTML.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Merge lays one object over another: objects member by member, everything else
// replaced, by null and by lists, too. Neither argument changes.
func Merge(under, over map[string]any) map[string]any {
	out := make(map[string]any, len(under)+len(over))
	for k, v := range under {
		out[k] = v
	}
	for k, v := range over {
		below, ok := out[k].(map[string]any)
		above, both := v.(map[string]any)
		if ok && both {
			v = Merge(below, above)
		}
		out[k] = v
	}
	return out
}
