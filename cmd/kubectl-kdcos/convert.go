// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/kubectl/pkg/util/templates"
)

var (
	convertLong = templates.LongDesc(`
		Convert app and pod definitions of Marathon to Apps, and jobs of Metronome to Jobs.

		A file holds an app or a pod, an array of them, an object with the field apps, or a group
		with all that is in it: what POST and PUT of /v2/apps, /v2/pods and /v2/groups take, and what
		GET answers. Deprecated forms are read as Marathon 1.11 reads them.

		Or it holds a job of Metronome, or an array of them: what POST of /v1/jobs and of
		/v0/scheduled-jobs takes, and what GET answers, of which runs and history are left
		out. What a schedule may not mean is a warning.

		Apps and Jobs that are in a file already are printed as they are.

		Each definition that can't be converted is an error that names file, place and field;
		the others are printed all the same. No cluster is needed.`)

	convertExample = templates.Examples(`
		# Convert an app
		kubectl kdcos convert -f app.json

		# Convert all definitions in a directory and in those below it, into one file
		kubectl kdcos convert -R -f marathon/ > apps.yaml

		# Convert what a Marathon runs
		dcos marathon group show / | kubectl kdcos convert -f -

		# Convert what a Metronome has
		dcos job list --json | kubectl kdcos convert -f -

		# Convert an app whose id is relative to a group
		kubectl kdcos convert -f app.json --base /prod/web`)
)

func newConvertCommand(p *plugin) *cobra.Command {
	in, translation, out := &input{}, &translation{}, newOutput("yaml")
	cmd := &cobra.Command{
		Use:                   "convert -f FILENAME",
		DisableFlagsInUseLine: true,
		Short:                 "Convert Marathon and Metronome JSON to Apps and Jobs",
		Long:                  convertLong,
		Example:               convertExample,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := in.validate(cmd); err != nil {
				return err
			}
			if err := translation.validate(cmd); err != nil {
				return err
			}
			return p.convert(in, translation, out)
		},
	}
	in.addFlags(cmd, "The files and directories that contain the definitions to convert. - is standard input.")
	translation.addFlags(cmd)
	out.addFlags(cmd)
	return cmd
}

func (p *plugin) convert(in *input, translation *translation, out *output) error {
	// A wrong -o is told before any work.
	if _, err := out.printer(); err != nil {
		return err
	}
	translation.options.RootNamespace = p.rootNamespace
	var objects []*unstructured.Unstructured
	var failed bool
	for _, d := range translation.translate(in.documents(p.In)) {
		note(p.ErrOut, d.where, d.notes)
		if d.err != nil {
			complain(p.ErrOut, d.where, d.err)
			failed = true
			continue
		}
		objects = append(objects, d.object)
	}
	if len(objects) > 0 {
		if err := out.printDocuments(p.Out, objects); err != nil {
			return err
		}
	}
	if failed {
		return errReported
	}
	return nil
}
