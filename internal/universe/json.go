// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
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
			return canonical(document, maxDepth)
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

// canonical makes all numbers of a value canonical, in place.
func canonical(value any, depth int) (any, error) {
	if depth < 0 {
		return nil, fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	var err error
	switch v := value.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			if v[i], err = canonical(v[i], depth-1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = canonical(v[k], depth-1); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// number returns the canonical form of a number. What a double can't hold is
// refused: the exact value of 1e999999999 would fill the memory.
func number(n json.Number) (json.Number, error) {
	f, err := strconv.ParseFloat(string(n), 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(string(n)), "e")
	zero := strings.Trim(mantissa, "-0.") == ""
	switch {
	case len(n) > maxNumber || err != nil || f == 0 && !zero:
		return "", fmt.Errorf("number %s is out of range", shorten(string(n)))
	case zero:
		return "0", nil
	case !strings.ContainsAny(string(n), ".eE"):
		return n, nil
	}
	exact, ok := new(big.Rat).SetString(string(n))
	if ok && exact.IsInt() {
		return json.Number(exact.Num().String()), nil
	}
	return n, nil
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
