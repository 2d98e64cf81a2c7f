// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
)

// completionTimeout is how long the cluster may take to tell what there is:
// somebody waits at a prompt.
const completionTimeout = 5 * time.Second

// kubectlCompleter is what kubectl runs to complete arguments of the plugin.
const kubectlCompleter = "#!/bin/sh\nexec " + program + " " + cobra.ShellCompRequestCmd + ` "$@"` + "\n"

var (
	completionLong = templates.LongDesc(`
		Print a completion script.

		To complete after "kubectl kdcos", kubectl runs an executable of the name
		kubectl_complete-kdcos, which has to be in the PATH beside kubectl-kdcos. The script for
		"kubectl" is such a file; a link of that name to kubectl-kdcos does the same. The completion
		of kubectl itself has to be set up, too.

		The scripts for shells are for who runs kubectl-kdcos directly.`)

	completionExample = templates.Examples(`
		# Complete after "kubectl kdcos", by a link
		ln -s "$(command -v kubectl-kdcos)" ~/.local/bin/kubectl_complete-kdcos

		# The same, by a script
		kubectl kdcos completion kubectl > ~/.local/bin/kubectl_complete-kdcos
		chmod +x ~/.local/bin/kubectl_complete-kdcos

		# Complete after "kubectl-kdcos" in this shell
		source <(kubectl kdcos completion bash)`)
)

func newCompletionCommand(p *plugin) *cobra.Command {
	kinds := map[string]func(*cobra.Command) error{
		"kubectl": func(*cobra.Command) error {
			_, err := fmt.Fprint(p.Out, kubectlCompleter)
			return err
		},
		"bash":       func(root *cobra.Command) error { return root.GenBashCompletionV2(p.Out, true) },
		"zsh":        func(root *cobra.Command) error { return root.GenZshCompletion(p.Out) },
		"fish":       func(root *cobra.Command) error { return root.GenFishCompletion(p.Out, true) },
		"powershell": func(root *cobra.Command) error { return root.GenPowerShellCompletionWithDesc(p.Out) },
	}
	names := slices.Sorted(maps.Keys(kinds))
	return &cobra.Command{
		Use:                   "completion (" + strings.Join(names, "|") + ")",
		DisableFlagsInUseLine: true,
		Short:                 "Print a completion script",
		Long:                  completionLong,
		Example:               completionExample,
		ValidArgs:             names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || kinds[args[0]] == nil {
				return cmdutil.UsageErrorf(cmd, "need one of %s", strings.Join(names, ", "))
			}
			return kinds[args[0]](cmd.Root())
		},
	}
}

type completion = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// completeApps completes an APP: names, or Marathon ids after a slash.
func (p *plugin) completeApps(several bool) completion {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !several {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var words []string
		for _, app := range p.appsToComplete(cmd.Context(), strings.HasPrefix(toComplete, "/")) {
			if !slices.Contains(args, app) {
				words = append(words, app)
			}
		}
		return withPrefix(words, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// appsToComplete are the names of the namespace's Apps, or the ids of all that
// the caller may list.
func (p *plugin) appsToComplete(ctx context.Context, ids bool) []string {
	cluster, err := p.cluster()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	namespace := cluster.namespace
	if ids && !cluster.chosen {
		namespace = ""
	}
	apps, err := cluster.apps(ctx, namespace, labels.Everything())
	if err != nil && namespace == "" {
		apps, err = cluster.apps(ctx, cluster.namespace, labels.Everything())
	}
	if err != nil {
		cobra.CompErrorln(reasons(err)[0])
		return nil
	}
	var words []string
	for _, app := range apps {
		word := app.Name
		if ids {
			word = cluster.id(app)
		}
		if word != "" {
			words = append(words, word)
		}
	}
	return words
}

// completeVersions completes a flag whose value is a version of the APP.
func (p *plugin) completeVersions(cmd *cobra.Command, flag string) {
	complete(cmd, flag, func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		_, versions, err := p.versions(ctx, args[0])
		if err != nil {
			cobra.CompErrorln(reasons(err)[0])
		}
		var words []string
		for _, v := range versions {
			if v.stamp != "" {
				words = append(words, v.stamp)
			}
		}
		return withPrefix(words, toComplete), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	})
}

// completeFlags completes the flags all commands share, as kubectl does.
func (p *plugin) completeFlags(root *cobra.Command) {
	names := func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		return withPrefix(p.namespaces(ctx), toComplete), cobra.ShellCompDirectiveNoFileComp
	}
	complete(root, "namespace", names)
	complete(root, "root-namespace", names)
	fromConfig := func(flag string, pick func() []string) {
		complete(root, flag, func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return withPrefix(pick(), toComplete), cobra.ShellCompDirectiveNoFileComp
		})
	}
	config := p.flags.ToRawKubeConfigLoader
	fromConfig("context", func() []string { c, _ := config().RawConfig(); return slices.Sorted(maps.Keys(c.Contexts)) })
	fromConfig("cluster", func() []string { c, _ := config().RawConfig(); return slices.Sorted(maps.Keys(c.Clusters)) })
	fromConfig("user", func() []string { c, _ := config().RawConfig(); return slices.Sorted(maps.Keys(c.AuthInfos)) })
}

func (p *plugin) namespaces(ctx context.Context) []string {
	c, err := p.connect()
	if err != nil {
		return nil
	}
	list := &corev1.NamespaceList{}
	if err := c.List(ctx, list); err != nil {
		cobra.CompErrorln(reasons(err)[0])
		return nil
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

// completeWith completes a flag by a fixed list of words.
func completeWith(cmd *cobra.Command, flag string, words ...string) {
	complete(cmd, flag, func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		return withPrefix(slices.Clone(words), toComplete), cobra.ShellCompDirectiveNoFileComp
	})
}

// complete registers the completion of a flag, which must be there.
func complete(cmd *cobra.Command, flag string, how completion) {
	if err := cmd.RegisterFlagCompletionFunc(flag, how); err != nil {
		panic(err)
	}
}

func withPrefix(words []string, prefix string) []string {
	return slices.DeleteFunc(words, func(word string) bool { return !strings.HasPrefix(word, prefix) })
}
