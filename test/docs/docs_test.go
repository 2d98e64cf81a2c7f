// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs_test holds the documentation to the code: what the code has is
// explained, and what the documentation names is there.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const root = "../.."

var (
	codeSpan = regexp.MustCompile("`[^`\n]+`")
	word     = regexp.MustCompile(`[A-Za-z0-9_]+`)
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fence    = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```")
	makeCall = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]+)\b`)
)

// unsupported are fields whose parts need no explanation yet.
var unsupported = []string{
	"fetch", "secrets", "container.volumes", "container.docker.pullConfig",
}

// kinds are the pages that explain ours, by the file of their definition.
var kinds = map[string]string{
	"kdcos.io_apps.yaml": "docs/app.md", "kdcos.io_virtualips.yaml": "docs/virtualip.md",
	"kdcos.io_jobs.yaml": "docs/job.md", "kdcos.io_jobruns.yaml": "docs/job.md",
	"kdcos.io_nodepools.yaml": "docs/nodepool.md", "kdcos.io_nodemaintenances.yaml": "docs/nodemaintenance.md",
	"kdcos.io_quotas.yaml": "docs/quota.md",
}

func TestEveryFieldIsExplained(t *testing.T) {
	for file, page := range kinds {
		words := codeWords(read(t, root+"/"+page))
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict([]byte(read(t, root+"/config/crd/"+file)), crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			for _, part := range []string{"spec", "status"} {
				schema := version.Schema.OpenAPIV3Schema.Properties[part]
				for _, field := range fields("", &schema) {
					name := field[strings.LastIndex(field, ".")+1:]
					if !words[name] && !strings.HasPrefix(field, "conditions.") {
						t.Errorf("%s does not explain %s.%s", page, part, field)
					}
				}
			}
		}
	}
}

func fields(path string, schema *apiextensionsv1.JSONSchemaProps) []string {
	var all []string
	if schema.Items != nil && schema.Items.Schema != nil {
		return fields(path, schema.Items.Schema)
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		field := strings.TrimPrefix(path+"."+name, ".")
		all = append(all, field)
		if !slices.Contains(unsupported, field) {
			all = append(all, fields(field, &property)...)
		}
	}
	return all
}

func TestEveryReasonIsExplained(t *testing.T) {
	tree, err := parser.ParseFile(token.NewFileSet(), root+"/api/v1alpha1/conditions.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, is := n.(*ast.ValueSpec)
		if !is || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		reasons[value] = true
		return true
	})
	explained := map[string]bool{}
	for _, page := range kinds {
		_, table, _ := strings.Cut(read(t, root+"/"+page), "| reason | when |\n|---|---|\n")
		table, _, _ = strings.Cut(table, "\n\n")
		for row := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
			reason := strings.Trim(strings.Split(row, "|")[1], " `")
			explained[reason] = true
			if !reasons[reason] {
				t.Errorf("%s explains the reason %q, which there is not", page, reason)
			}
		}
	}
	for reason := range reasons {
		if !explained[reason] {
			t.Errorf("no page explains the reason %s", reason)
		}
	}
}

// Every link leads to a file there is, and to a heading it has.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := filepath.Join(filepath.Dir(page), target)
			if target == "" {
				file = page
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s leads nowhere", page, match[1])
				continue
			}
			if anchor != "" && strings.HasSuffix(file, ".md") && !anchors(read(t, file))[anchor] {
				t.Errorf("%s: %s has no heading %s", page, file, anchor)
			}
		}
	}
}

// anchors are the names that headings get.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := strings.ToLower(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(match[1], ""))
		all[strings.ReplaceAll(name, " ", "-")] = true
	}
	return all
}

func TestMakeTargets(t *testing.T) {
	makefile := read(t, root+"/Makefile")
	for _, page := range pages(t) {
		text := read(t, page)
		var code strings.Builder
		for _, match := range fence.FindAllStringSubmatch(text, -1) {
			code.WriteString(match[2])
		}
		code.WriteString(strings.Join(codeSpan.FindAllString(text, -1), "\n"))
		for _, match := range makeCall.FindAllStringSubmatch(code.String(), -1) {
			if !strings.Contains(makefile, "\n"+match[1]+":") {
				t.Errorf("%s: there is no make %s", page, match[1])
			}
		}
	}
}

// Objects in the documentation and the samples are of our kinds.
func TestObjects(t *testing.T) {
	samples, err := filepath.Glob(root + "/config/samples/*.yaml")
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples (%v)", err)
	}
	for _, file := range samples {
		for document := range strings.SplitSeq(read(t, file), "\n---\n") {
			checkObject(t, file, document)
		}
	}
	for _, page := range pages(t) {
		for _, match := range fence.FindAllStringSubmatch(read(t, page), -1) {
			if match[1] == "yaml" && strings.Contains(match[2], "apiVersion: kdcos.io") {
				checkObject(t, page, match[2])
			}
		}
	}
}

func checkObject(t *testing.T, where, text string) {
	t.Helper()
	var object any = &v1alpha1.App{}
	for kind, other := range map[string]any{
		"VirtualIP": &v1alpha1.VirtualIP{}, "Job": &v1alpha1.Job{}, "JobRun": &v1alpha1.JobRun{},
		"NodePool": &v1alpha1.NodePool{}, "NodeMaintenance": &v1alpha1.NodeMaintenance{}, "Quota": &v1alpha1.Quota{},
	} {
		if strings.Contains(text, "kind: "+kind+"\n") {
			object = other
		}
	}
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Errorf("%s: %v", where, err)
	}
}

func pages(t *testing.T) []string {
	t.Helper()
	all := []string{root + "/README.md"}
	err := filepath.WalkDir(root+"/docs", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func codeWords(text string) map[string]bool {
	all := map[string]bool{}
	for _, span := range codeSpan.FindAllString(text, -1) {
		for _, w := range word.FindAllString(span, -1) {
			all[w] = true
		}
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
