// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"runtime"
	"strings"
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
			rest := path[len(dir):]
			dir += rest[:strings.Index(rest, ".")]
			stack = append(stack, frame{file: dir + f.File[strings.LastIndex(f.File, "/"):], line: f.Line})
		}
		if !more {
			return stack
		}
	}
}
