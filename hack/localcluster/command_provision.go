// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/kdcos/kdcos/hack/localcluster/internal/provisioner"
)

// provisionCommand is what a copy of this program runs beside the control plane.
func provisionCommand() *cobra.Command {
	var kubeconfig, machines string
	cmd := &cobra.Command{
		Use:    provisioner.Command,
		Short:  "Make volumes for claims, in the directories of nodes",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return provisioner.Run(cmd.Context(), kubeconfig, machines)
		},
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "configuration to reach the API server with")
	cmd.Flags().StringVar(&machines, "machines", "", "directory with those of the nodes, by their names")
	return cmd
}
