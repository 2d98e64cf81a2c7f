// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"maps"
	"slices"
	"strings"
)

// Render returns the Marathon app of the package with options as Resolve returns
// them. The error is an *Error; it tells lines and fields, and no values.
func (p *Package) Render(options map[string]any) (map[string]any, error) {
	if p.Marathon == nil {
		return nil, p.failed(NoTemplate, "", "has no Marathon app to install")
	}
	template, err := ParseTemplate(strings.ToValidUTF8(string(p.Marathon.Template), "\uFFFD"))
	if err != nil {
		return nil, p.failed(InvalidPackage, "marathon.v2AppMustacheTemplate", "%v", err)
	}
	text, err := template.Execute(p.context(options))
	if err != nil {
		return nil, p.failed(InvalidPackage, "marathon.v2AppMustacheTemplate", "%v", err)
	}
	value, err := parse([]byte(text))
	if err != nil {
		return nil, p.failed(RenderFailed, "", "its template gives no JSON with these options: %v", err)
	}
	app, ok := value.(map[string]any)
	if !ok {
		return nil, p.failed(RenderFailed, "", "its template gives no JSON object with these options")
	}
	return app, p.checkLabels(app)
}

// checkLabels looks at labels here, since what Marathon says of them is hard to
// understand.
func (p *Package) checkLabels(app map[string]any) error {
	raw, ok := app["labels"]
	if !ok || raw == nil {
		return nil
	}
	labels, ok := raw.(map[string]any)
	if !ok {
		return p.failed(RenderFailed, "labels", "must be an object of strings in what its template gives")
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if _, ok := labels[name].(string); !ok {
			return p.failed(RenderFailed, pathOf([]string{"labels", name}, app), "must be a string in what its template gives")
		}
	}
	return nil
}
