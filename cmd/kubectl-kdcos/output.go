// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
)

// output is the flag -o of a command.
type output struct {
	*genericclioptions.PrintFlags
	// own are the forms that the command prints itself, beside those that
	// kubectl has for any object. "" is always one, if there is no default.
	own []string
}

func newOutput(format string, own ...string) *output {
	return &output{PrintFlags: genericclioptions.NewPrintFlags("").WithDefaultOutput(format), own: own}
}

func (o *output) addFlags(cmd *cobra.Command) {
	o.AddFlags(cmd)
	cmd.Flags().Lookup("output").Usage = "Output format. One of: (" + strings.Join(o.formats(), ", ") + ")."
	completeWith(cmd, "output", o.formats()...)
}

func (o *output) formats() []string {
	return append(o.AllowedFormats(), o.own...)
}

// isOwn says that the command prints the form asked for itself.
func (o *output) isOwn() bool {
	return *o.OutputFormat == "" && !o.templated() || slices.Contains(o.own, *o.OutputFormat)
}

// templated says that --template was given without -o, which is enough.
func (o *output) templated() bool {
	return *o.TemplatePrinterFlags.TemplateArgument != ""
}

func (o *output) printer() (printers.ResourcePrinter, error) {
	printer, err := o.ToPrinter()
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		return nil, genericclioptions.NoCompatiblePrinterError{OutputFormat: o.OutputFormat, AllowedFormats: o.formats()}
	}
	return printer, err
}

// print prints one object as it is, and several as a list.
func (o *output) print(w io.Writer, objects []*unstructured.Unstructured) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	if len(objects) == 1 {
		return printer.PrintObj(objects[0], w)
	}
	return printer.PrintObj(listOf(objects), w)
}

// printList prints a list, however many objects there are.
func (o *output) printList(w io.Writer, objects []*unstructured.Unstructured) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	return printer.PrintObj(listOf(objects), w)
}

// printDocuments prints YAML objects one after the other, which is how a file
// of them is written, and other forms as print does.
func (o *output) printDocuments(w io.Writer, objects []*unstructured.Unstructured) error {
	if !strings.HasSuffix(*o.OutputFormat, "yaml") {
		return o.print(w, objects)
	}
	printer, err := o.printer()
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := printer.PrintObj(object, w); err != nil {
			return err
		}
	}
	return nil
}

func listOf(objects []*unstructured.Unstructured) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{"resourceVersion": ""}}}
	for _, object := range objects {
		list.Items = append(list.Items, *object)
	}
	return list
}
