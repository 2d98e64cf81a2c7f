// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kdcos/kdcos/hack/localcluster/internal/image"
)

func imageCommand() *cobra.Command {
	var s image.Spec
	var name, out string
	var also []string
	cmd := &cobra.Command{
		Use:   "image --name REF --out FILE --binary PATH",
		Short: "Make a container image from static binaries",
		Long: "Make a docker-archive from static binaries. Each is placed in the root directory of the image. The same " +
			"content always gives the same digest, which is printed.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.References = append([]string{name}, also...)
			id, err := image.WriteArchive(out, s)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "name of the image")
	flags.StringArrayVar(&also, "tag-also", nil, "another name of the same image")
	flags.StringVar(&out, "out", "", "archive to write")
	flags.StringArrayVar(&s.Binaries, "binary", nil, "static binary to place in the root directory")
	flags.StringArrayVar(&s.Files, "file", nil, "extra file, as SRC:DST")
	flags.StringArrayVar(&s.Entrypoint, "entrypoint", nil, "program and first arguments (default: the first binary)")
	flags.StringVar(&s.User, "user", "65532:65532", "user and group to run as")
	flags.IntSliceVar(&s.Ports, "port", nil, "TCP port that the image exposes")
	flags.StringArrayVar(&s.Env, "env", nil, "variable of the environment, as K=V")
	for _, required := range []string{"name", "out", "binary"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err)
		}
	}
	return cmd
}
