// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// vocabulary holds words for fields where those that chance makes would not do:
// names that refer to each other, and values that mean something.
var vocabulary = map[string][]any{
	"secrets[].name": {"s", "t"}, "env[].secret": {"s", "t"}, "container.volumes[].secret": {"s", "t"}, "container.docker.pullConfig.secret": {"s", "t"},
	"networks[].name": {"dcos", "other"}, "container.portMappings[].networkNames[]": {"dcos", "other"},
	"role": {"slave_public", "prod"}, "acceptedResourceRoles[]": {"*", "slave_public", "prod"},
	"portDefinitions[].name": {"http", "admin", "http-api"}, "container.portMappings[].name": {"http", "admin", "http-api", "a-name-that-is-too-long-for-kubernetes"},
	"readinessChecks[].portName": {"http", "admin", "default"},
	"user":                       {"root", "nobody", "1000"},
	"constraints[].field":        {"hostname", "@hostname", "@zone", "@region", "rack"}, "constraints[].value": {"1", "3", "a", "rack-.*", "zone_1/x.y"},
	"container.volumes[].containerPath":                        {"data", "/data", "a/b", "/etc/x", "logs"},
	"container.volumes[].hostPath":                             {"/tmp/x", "rel", "/"},
	"container.volumes[].persistent.constraints[].field":       {"path"},
	"container.volumes[].persistent.constraints[].operator":    {"LIKE", "UNLIKE"},
	"container.volumes[].persistent.constraints[].value":       {"/dev/.*"},
	"container.volumes[].external.options{}":                   {"rexray", "pxd", "10", "true"},
	"container.docker.image":                                   {"nginx", "example.com:5000/a/b:1.4", "x@sha256:0123456789012345678901234567890123456789012345678901234567890123"},
	"container.docker.parameters[].key":                        {"env", "hostname", "shm-size", "label", "cap-add", "no-such-flag"},
	"container.docker.parameters[].value":                      {"A=b", "h", "64m", "NET_ADMIN"},
	"dependencies[]":                                           {"/db", "/prod/other", "/a/b"},
	"fetch[].uri":                                              {"http://a/b.tgz", "hdfs://x/y", "file:///x.tar.gz"},
	"instances":                                                {0, 1, 2, 100000},
	"env[].name":                                               {"A", "PORT0", "with space", "a.b-c", "PATH"},
	"container.volumes[].external.csi.capability.mountFlags[]": {"ro", "noatime"},

	"containers[].env[].secret": {"s", "t"}, "containers[].image.pullConfig.secret": {"s", "t"}, "volumes[].secret": {"s", "t"},
	"containers[].name": {"a", "web", "side-car", "app"}, "volumes[].name": {"v", "w", "data"}, "containers[].volumeMounts[].name": {"v", "w", "data"},
	"containers[].volumeMounts[].mountPath": {"data", "/data", "a/b", "/etc/x"}, "volumes[].host": {"/tmp/x", "rel"},
	"containers[].artifacts[].uri": {"http://a/b.tgz", "hdfs://x/y"}, "containers[].user": {"root", "nobody", "1000"},
	"containers[].image.id":                    {"nginx", "example.com:5000/a/b:1.4"},
	"volumes[].persistent.constraints[].field": {"path"}, "volumes[].persistent.constraints[].operator": {"LIKE", "UNLIKE"}, "volumes[].persistent.constraints[].value": {"/dev/.*"},
	"containers[].healthCheck.http.endpoint": {"p"}, "containers[].healthCheck.tcp.endpoint": {"p"}, "containers[].check.http.endpoint": {"p"}, "containers[].check.tcp.endpoint": {"p"},
}

// strict are the fields where a word of the vocabulary is always what is meant,
// though the schema takes more: it can't say what a role,
// a network or a URI is, or that an app does not depend on itself.
var strict = []string{"role", "networks[].name", "fetch[].uri", "dependencies[]", "containers[].artifacts[].uri", "containers[].volumeMounts[].name", "volumes[].name"}

// pieces are what texts are made of: what shells, YAML and Kubernetes mind.
var pieces = []string{"a", "B", "9", " ", "$(X)", "$$", "${Y}", "ü", "日本", "\"", "\\", "\n", "\t", "%", "{}", ": ", "- ", "#", "/", "true", "0x1F", "~", "'"}

// text draws one that the pattern and the length of the schema allow.
func (g *generator) text(s *apiextensionsv1.JSONSchemaProps) string {
	least, most := 0, 40
	if s.MinLength != nil {
		least = int(*s.MinLength)
	}
	if s.MaxLength != nil {
		most = int(*s.MaxLength)
	}
	if s.Pattern != "" {
		expression, err := syntax.Parse(s.Pattern, syntax.Perl)
		if err != nil {
			panic(err)
		}
		for {
			if text := g.match(expression); utf8.RuneCountInString(text) <= most && utf8.RuneCountInString(text) >= least {
				return text
			}
		}
	}
	length := least + g.IntN(min(most-least, 12)+1)
	switch {
	case g.one(20):
		length = least
	case g.one(20) && most <= 2048, g.one(500):
		length = min(most, 10000)
	}
	var b strings.Builder
	for n := 0; n < length; {
		piece := []rune(pick(g, pieces...))
		piece = piece[:min(len(piece), length-n)]
		b.WriteString(string(piece))
		n += len(piece)
	}
	return b.String()
}

// match makes a text that a regular expression matches.
func (g *generator) match(e *syntax.Regexp) string {
	repeat := func(least, most int) string {
		if most < 0 {
			most = least + pick(g, 0, 1, 5, 20)
		}
		var b strings.Builder
		for range least + g.IntN(most-least+1) {
			b.WriteString(g.match(e.Sub[0]))
		}
		return b.String()
	}
	switch e.Op {
	case syntax.OpLiteral:
		return string(e.Rune)
	case syntax.OpCharClass:
		i := g.IntN(len(e.Rune)/2) * 2
		return string(e.Rune[i] + rune(g.IntN(int(e.Rune[i+1]-e.Rune[i])+1))) //nolint:gosec // a range of characters
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		return string(pick(g, []rune("aB9 $(){}:#/ü日\"")...))
	case syntax.OpConcat:
		var b strings.Builder
		for _, sub := range e.Sub {
			b.WriteString(g.match(sub))
		}
		return b.String()
	case syntax.OpAlternate:
		return g.match(pick(g, e.Sub...))
	case syntax.OpCapture:
		return g.match(e.Sub[0])
	case syntax.OpStar:
		return repeat(0, -1)
	case syntax.OpPlus:
		return repeat(1, -1)
	case syntax.OpQuest:
		return repeat(0, 1)
	case syntax.OpRepeat:
		return repeat(e.Min, e.Max)
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return ""
	}
	panic("no such operator: " + e.Op.String())
}
