// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"fmt"
	"strings"
)

// Bounds of a template. The largest recorded has 51 KB.
const (
	maxTemplate = 1 << 20
	maxSections = 64
	maxVariable = 1000
)

// Template is a template that was read. Of what mustache has, it knows
// variables, sections, inverted sections, comments and other delimiters.
//
// Lines with nothing but a tag stay, where mustache.java drops them: white
// space at the end of a line means nothing to JSON.
type Template struct{ nodes []node }

// node is a part of a template.
type node struct {
	kind nodeKind
	// text is the text, or the name of a variable or section.
	text string
	// nodes are what is in a section, and source is how that was written.
	nodes  []node
	source string
}

type nodeKind int

const (
	isText nodeKind = iota
	isVariable
	isSection
	isInverted
)

// ParseTemplate reads a template. The error tells the line.
func ParseTemplate(source string) (*Template, error) {
	if len(source) > maxTemplate {
		return nil, fmt.Errorf("has %d bytes, must not have more than %d", len(source), maxTemplate)
	}
	p := &templateParser{source: source}
	nodes, err := p.section("", "{{", "}}", 0)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", 1+strings.Count(source[:p.tag], "\n"), err)
	}
	return &Template{nodes: nodes}, nil
}

type templateParser struct {
	source string
	// at is where reading goes on, tag where the last tag began.
	at, tag int
}

// section reads up to the end of a section, or of the source for the name "".
// Delimiters that change in a section change back after it.
func (p *templateParser) section(name, left, right string, depth int) ([]node, error) {
	if depth > maxSections {
		return nil, fmt.Errorf("sections are nested deeper than %d", maxSections)
	}
	var out []node
	opened := p.tag
	for {
		text, _, found := strings.Cut(p.source[p.at:], left)
		if text != "" {
			out = append(out, node{text: text})
		}
		if !found {
			if name != "" {
				p.tag = opened
				return nil, fmt.Errorf("section %q has no end", shorten(name))
			}
			p.at = len(p.source)
			return out, nil
		}
		p.tag = p.at + len(text)
		p.at = p.tag + len(left)
		command, err := p.command(right)
		if err != nil {
			return nil, err
		}
		if command[0] != '!' && len(command) > maxVariable {
			return nil, fmt.Errorf("a name must not be longer than %d bytes", maxVariable)
		}
		switch argument := strings.TrimSpace(command[1:]); command[0] {
		case '#', '^':
			n, err := p.open(command[0], argument, left, right, depth)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		case '/':
			if argument != name || name == "" {
				return nil, fmt.Errorf("the end of section %q is not where it should be", shorten(argument))
			}
			return out, nil
		case '!':
		case '=':
			if left, right, err = delimiters(argument); err != nil {
				return nil, err
			}
		case '{', '&':
			out = append(out, node{kind: isVariable, text: argument})
		case '>', '<', '$', '?', '%':
			return nil, fmt.Errorf("{{%c is not allowed: a package has one template, without partials, inheritance or pragmas", command[0])
		default:
			out = append(out, node{kind: isVariable, text: strings.TrimSpace(command)})
		}
	}
}

// open reads a section whose first tag was read.
func (p *templateParser) open(kind byte, name, left, right string, depth int) (node, error) {
	if name == "" {
		return node{}, fmt.Errorf("a section must have a name")
	}
	start := p.at
	nodes, err := p.section(name, left, right, depth+1)
	if err != nil {
		return node{}, err
	}
	n := node{kind: isSection, text: name, nodes: nodes, source: p.source[start:p.tag]}
	if kind == '^' {
		n.kind = isInverted
	}
	return n, nil
}

// command reads what is in a tag. Of {{{name}}} it is {name.
func (p *templateParser) command(right string) (string, error) {
	rest := p.source[p.at:]
	end := right
	switch {
	case strings.HasPrefix(rest, "="):
		end = "=" + right
	case strings.HasPrefix(rest, "{"):
		end = "}" + right
	}
	command, _, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("tag has no end: must have %s", end)
	}
	p.at += len(command) + len(end)
	if strings.TrimSpace(command) == "" {
		return "", fmt.Errorf("tag is empty")
	}
	return command, nil
}

// delimiters reads the two of {{=<% %>=}}.
func delimiters(argument string) (left, right string, err error) {
	both := strings.Fields(strings.TrimSuffix(argument, "="))
	if len(both) != 2 || len(both[0]) > 2 || len(both[1]) > 2 {
		return "", "", fmt.Errorf("delimiters must be two, of one or two characters")
	}
	return both[0], both[1], nil
}
