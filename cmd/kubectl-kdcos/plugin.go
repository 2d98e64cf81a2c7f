// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubectl/pkg/cmd/options"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/internal/dnsclient"
	"github.com/kdcos/kdcos/internal/pathid"
)

// program is the name of the executable, command what a user types.
const (
	program = "kubectl-kdcos"
	command = "kubectl kdcos"
)

// plugin is what all commands share: streams, the flags that every command
// has, the clock and the way to the cluster.
type plugin struct {
	genericiooptions.IOStreams
	flags         *genericclioptions.ConfigFlags
	rootNamespace string
	now           func() time.Time
	// connect makes the client; tests put a fake in its place.
	connect func() (client.Client, error)
	// core makes a client of the kinds that every cluster has.
	core func() (corev1client.CoreV1Interface, error)
	// ask asks the DNS server in a namespace; tests answer themselves.
	ask func(ctx context.Context, c *cluster, namespace, name, qtype string) (*dnsclient.Answer, error)
	// openLog opens the log of a pod; tests write it themselves.
	openLog func(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) (io.ReadCloser, error)
	// suffix tells runs apart that are started in the same second.
	suffix func() string
}

func newPlugin(streams genericiooptions.IOStreams) *plugin {
	p := &plugin{
		IOStreams: streams,
		flags:     genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag(),
		now:       time.Now,
	}
	p.connect, p.core, p.ask = p.dial, p.dialCore, p.asks
	p.openLog, p.suffix = p.opens, func() string { return utilrand.String(5) }
	return p
}

// mapping is how Marathon ids and names belong together in this cluster.
func (p *plugin) mapping() pathid.Mapping {
	return pathid.Mapping{RootNamespace: p.rootNamespace}
}

func newRootCommand(p *plugin) *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Run Marathon apps on Kubernetes",
		Long: templates.LongDesc(`
			Run Marathon apps on Kubernetes.

			An APP is given by its name in the namespace (web.api) or by its Marathon id,
			which starts with a slash and says the namespace as well (/prod/web/api).`),
		Annotations:           map[string]string{cobra.CommandDisplayNameAnnotation: command},
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
		Run:                   func(cmd *cobra.Command, _ []string) { cmd.HelpFunc()(cmd, nil) },
		Args:                  noArguments,
	}
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.ErrOut)
	p.addFlags(root)
	groups := templates.CommandGroups{
		{Message: "Marathon Apps In:", Commands: []*cobra.Command{newConvertCommand(p), newApplyCommand(p)}},
		{Message: "Apps That Run:", Commands: []*cobra.Command{newStatusCommand(p), newVersionsCommand(p), newRestartCommand(p), newRollbackCommand(p), newPauseCommand(p), newResumeCommand(p), newResetDelayCommand(p), newWipeCommand(p)}},
		{Message: "Jobs And Their Runs:", Commands: []*cobra.Command{newRunCommand(p), newRunsCommand(p), newLogsCommand(p), newStopCommand(p)}},
		{Message: "Nodes:", Commands: []*cobra.Command{newDeactivateCommand(p), newDrainCommand(p), newDecommissionCommand(p), newReactivateCommand(p)}},
		{Message: "Shares Of The Datacenter:", Commands: []*cobra.Command{newQuotaCommand(p)}},
		{Message: "Names And Addresses:", Commands: []*cobra.Command{newVIPsCommand(p), newDigCommand(p), newStubDomainsCommand(p)}},
		{Message: "Nodes:", Commands: []*cobra.Command{newNodesCommand(p)}},
		{Message: "Settings:", Commands: []*cobra.Command{newCompletionCommand(p)}},
	}
	groups.Add(root)
	root.AddCommand(options.NewCmdOptions(p.Out))
	root.CompletionOptions.DisableDefaultCmd = true
	templates.ActsAsRootCommand(root, []string{"options", "help"}, groups...)
	sayCommand(root)
	p.completeFlags(root)
	return root
}

func (p *plugin) addFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	p.flags.AddFlags(flags)
	flags.StringVar(&p.rootNamespace, "root-namespace", pathid.DefaultRootNamespace,
		"The namespace of apps without a group, as the cluster's kdcos is set up.")
	logging := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(logging)
	flags.AddGoFlag(logging.Lookup("v"))
}

// sayCommand makes help say the command as it is typed. The templates of
// kubectl take the name of the executable.
func sayCommand(root *cobra.Command) {
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		out := cmd.OutOrStdout()
		var text bytes.Buffer
		cmd.SetOut(&text)
		help(cmd, args)
		cmd.SetOut(out)
		cmd.Print(strings.ReplaceAll(text.String(), program+" ", command+" "))
	})
}

// noArguments refuses arguments.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.HasSubCommands() {
		return cmdutil.UsageErrorf(cmd, "unknown command %q for %q", args[0], cmd.CommandPath())
	}
	if len(args) > 0 {
		return cmdutil.UsageErrorf(cmd, "unexpected arguments: %v", args)
	}
	return nil
}

// oneApp asks for the one argument APP.
func oneApp(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cmdutil.UsageErrorf(cmd, "need one APP: a name, or a Marathon id such as /prod/web/api")
	}
	return nil
}
