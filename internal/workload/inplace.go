// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// InPlace reports whether a spec came from another by changes of such fields
// only that it says may change and restart no task.
func InPlace(from, to *v1alpha1.AppSpec) (bool, error) {
	fields := to.InPlace()
	if len(fields) == 0 {
		return false, nil
	}
	was, err := without(from, fields)
	if err != nil {
		return false, err
	}
	is, err := without(to, fields)
	if err != nil {
		return false, err
	}
	before, _, err := Config(was)
	if err != nil {
		return false, err
	}
	after, _, err := Config(is)
	return before == after, err
}

// without is an App of the spec, fields of it left out.
func without(spec *v1alpha1.AppSpec, fields []v1alpha1.InPlaceField) (*v1alpha1.App, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	for _, f := range fields {
		delete(members, string(f))
	}
	if raw, err = json.Marshal(members); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	app := &v1alpha1.App{}
	if err := json.Unmarshal(raw, &app.Spec); err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	app.Spec.Default()
	return app, nil
}
