// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/testkit"
)

// module is the path of our module.
const module = "github.com/kdcos/kdcos/"

// frame is a place in our code.
type frame struct {
	// file is relative to the root of the module.
	file string
	line int
}

func (f frame) String() string { return fmt.Sprintf("%s:%d", f.file, f.line) }

// ourStack is the way to the caller through the code of controllers and
// internal, the innermost first.
func ourStack() []frame {
	pcs := make([]uintptr, 100)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	var stack []frame
	for {
		f, more := frames.Next()
		if path, ours := strings.CutPrefix(f.Function, module); ours && !strings.HasPrefix(path, "test/") {
			// The package's path, then the file's name.
			dir := path[:strings.LastIndex(path, "/")+1]
			name, _, _ := strings.Cut(path[len(dir):], ".")
			stack = append(stack, frame{file: dir + name + f.File[strings.LastIndex(f.File, "/"):], line: f.Line})
		}
		if !more {
			return stack
		}
	}
}

// writers are the methods by which a client writes.
var writers = []string{"Create", "Update", "Patch", "Delete", "DeleteAllOf", "Apply"}

// site is a call in our source that writes, or that leads to one that does.
type site struct {
	file       string
	first, end int
	what       string
}

func (s site) String() string { return fmt.Sprintf("%s:%d: %s", s.file, s.first, s.what) }

// covered says that a write came through the call.
func (s site) covered(by map[frame]bool) bool {
	for line := s.first; line <= s.end; line++ {
		if by[frame{s.file, line}] {
			return true
		}
	}
	return false
}

// function is a function of our source, with the calls in it that may write:
// those that are given the context.
type function struct {
	// name is with that of its package where nobody else can call it.
	name  string
	calls map[string][]site
}

// writeSites finds all calls in controllers and internal by which a write is
// made: of a client's methods, of functions that call those, and so on up. It
// goes by names: a call counts where its first argument is ctx and some
// function of that name writes, one of the same package if the name is not exported.
func writeSites(root string) ([]site, error) {
	var functions []function
	for _, room := range []string{"controllers", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testkit/") {
				return err
			}
			found, err := functionsOf(root, path)
			functions = append(functions, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	writes := map[string]bool{}
	for _, name := range writers {
		writes[name] = true
	}
	for grown := true; grown; {
		grown = false
		for _, f := range functions {
			for name := range f.calls {
				if writes[name] && !writes[f.name] {
					writes[f.name], grown = true, true
				}
			}
		}
	}
	var all []site
	for _, f := range functions {
		for name, calls := range f.calls {
			if writes[name] {
				all = append(all, calls...)
			}
		}
	}
	return all, nil
}

func functionsOf(root, path string) ([]function, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		return nil, err
	}
	file, err := filepath.Rel(root, path)
	if err != nil {
		return nil, err
	}
	var all []function
	for _, d := range parsed.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok || decl.Body == nil {
			continue
		}
		scoped := func(name string) string {
			if ast.IsExported(name) {
				return name
			}
			return filepath.Dir(file) + "." + name
		}
		f := function{name: scoped(decl.Name.Name), calls: map[string][]site{}}
		ast.Inspect(decl.Body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			if first, ok := call.Args[0].(*ast.Ident); !ok || first.Name != "ctx" {
				return true
			}
			var name string
			switch callee := call.Fun.(type) {
			case *ast.SelectorExpr:
				name = callee.Sel.Name
			case *ast.Ident:
				name = callee.Name
			}
			f.calls[scoped(name)] = append(f.calls[scoped(name)], site{
				file: file, first: set.Position(call.Pos()).Line, end: set.Position(call.End()).Line,
				what: decl.Name.Name + " calls " + types.ExprString(call.Fun),
			})
			return true
		})
		all = append(all, f)
	}
	return all, nil
}

// exceptions are calls that no scenario leads through, by what they begin with
// without the line, and why.
var exceptions = map[string]string{
	"internal/stubdomains/": "it is the command line tool that writes there, not the manager",
}

// judgeSites: the scenarios lead through every call in our source that writes.
func judgeSites(t *testing.T, seen map[frame]bool) {
	t.Helper()
	all, err := writeSites(testkit.Root())
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	left := maps.Clone(exceptions)
	excepted := 0
	for _, s := range all {
		known := ""
		for exception := range exceptions {
			if strings.HasPrefix(s.file+": "+s.what, exception) {
				known = exception
			}
		}
		switch covered := s.covered(seen); {
		case known != "" && covered:
			t.Errorf("a scenario comes by %s: it is no exception any more", s)
		case known != "":
			excepted++
		case !covered:
			missing = append(missing, s.String())
		}
		delete(left, known)
	}
	for exception := range left {
		t.Errorf("there is no call that writes at the exception %s", exception)
	}
	slices.Sort(missing)
	fmt.Printf("chaos: %d of %d calls that write are covered, %d are exceptions\n", len(all)-len(missing)-excepted, len(all), excepted)
	if len(missing) > 0 {
		t.Errorf("no scenario comes by these calls that write, so nothing was broken there; add one:\n  %s", strings.Join(missing, "\n  "))
	}
}
