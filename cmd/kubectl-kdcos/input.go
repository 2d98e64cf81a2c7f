// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/yaml"
)

// extensions are those of the files that count in a directory, as for kubectl.
var extensions = []string{".json", ".yaml", ".yml"}

// input are the files a command reads.
type input struct {
	files     []string
	recursive bool
}

func (in *input) addFlags(cmd *cobra.Command, usage string) {
	cmdutil.AddJsonFilenameFlag(cmd.Flags(), &in.files, usage)
	cmd.Flags().BoolVarP(&in.recursive, "recursive", "R", in.recursive, "Process the directory used in -f, --filename recursively.")
}

func (in *input) validate(cmd *cobra.Command) error {
	if len(in.files) == 0 {
		return cmdutil.UsageErrorf(cmd, "must specify -f: a file, a directory, or - for standard input")
	}
	return nil
}

// document is one JSON document of a file, and where it was found.
type document struct {
	file string
	// number of the document in a YAML file of several, from 1; 0 if it is alone.
	number int
	json   []byte
	// err is why there is no json.
	err error
}

// where names the document in messages.
func (d document) where() string {
	if d.number > 0 {
		return fmt.Sprintf("%s: document %d", d.file, d.number)
	}
	return d.file
}

// documents reads all files. One that can't be read is a document with an
// error, and does not keep the others from being read.
func (in *input) documents(stdin io.Reader) []document {
	var all []document
	for _, name := range in.files {
		paths, err := expand(name, in.recursive)
		if err != nil {
			all = append(all, document{file: name, err: err})
		}
		for _, path := range paths {
			file, data, err := read(path, stdin)
			if err != nil {
				all = append(all, document{file: file, err: err})
				continue
			}
			all = append(all, split(file, data)...)
		}
	}
	return all
}

// expand returns the files a name stands for.
func expand(name string, recursive bool) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		return nil, errors.New("addresses are not read: get the file first, or pipe it into -f -")
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("the path does not exist")
	case err != nil:
		return nil, cause(err)
	case !info.IsDir():
		return []string{name}, nil
	}
	var paths []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != name && !recursive:
			return filepath.SkipDir
		case !entry.IsDir() && slices.Contains(extensions, strings.ToLower(filepath.Ext(path))):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		return paths, cause(err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no files in it that end in %s", strings.Join(extensions, ", "))
	}
	return paths, nil
}

func read(path string, stdin io.Reader) (file string, data []byte, err error) {
	if path == "-" {
		data, err = io.ReadAll(stdin)
		return "STDIN", data, err
	}
	data, err = os.ReadFile(path)
	return path, data, cause(err)
}

// cause drops the path from an error about a file: it is said anyway.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// split finds the documents of a file. JSON is one, taken as it is; YAML may
// be several.
func split(file string, data []byte) []document {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // what editors of Windows begin a file with
	start := bytes.TrimLeft(data, " \t\r\n")
	if len(start) == 0 {
		return []document{{file: file, err: errors.New("the file is empty")}}
	}
	if start[0] == '{' || start[0] == '[' {
		return []document{{file: file, json: data}}
	}
	var all []document
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for number := 1; ; number++ {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return append(all, document{file: file, number: number, err: err})
		}
		text, err := yaml.YAMLToJSONStrict(part)
		if err == nil && string(text) == "null" {
			continue // nothing but comments
		}
		all = append(all, document{file: file, number: number, json: text, err: err})
	}
	if len(all) == 1 {
		all[0].number = 0
	}
	if len(all) == 0 {
		return []document{{file: file, err: errors.New("the file is empty")}}
	}
	return all
}
