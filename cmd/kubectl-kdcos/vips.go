// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	vipsLong = templates.LongDesc(`
		List virtual IPs and the tasks behind them.

		There is a line for each port and each App with tasks behind it. A task is ready,
		and gets new connections; not ready; or draining: it is being stopped, and keeps the
		connections it has. A virtual IP that another one holds says so.`)

	vipsExample = templates.Examples(`
		# List the virtual IPs of all namespaces
		kubectl kdcos vips -A`)
)

// vipListing is one run of vips.
type vipListing struct {
	*plugin
	out       *output
	everyone  bool
	noHeaders bool
}

func newVIPsCommand(p *plugin) *cobra.Command {
	l := &vipListing{plugin: p, out: newOutput("")}
	cmd := &cobra.Command{
		Use:                   "vips",
		DisableFlagsInUseLine: true,
		Short:                 "List virtual IPs and the tasks behind them",
		Long:                  vipsLong,
		Example:               vipsExample,
		ValidArgsFunction:     cobra.NoFileCompletions,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !l.out.isOwn() {
				if _, err := l.out.printer(); err != nil {
					return err
				}
			}
			return l.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&l.everyone, "all-namespaces", "A", false, "If true, list the virtual IPs of all namespaces.")
	cmd.Flags().BoolVar(&l.noHeaders, "no-headers", false, "If true, print the table without its header.")
	l.out.addFlags(cmd)
	return cmd
}

func (l *vipListing) run(ctx context.Context) error {
	c, err := l.cluster()
	if err != nil {
		return err
	}
	namespace := c.namespace
	if l.everyone {
		namespace = metav1.NamespaceAll
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("VirtualIPList"))
	if err := c.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	var raw []*unstructured.Unstructured
	var vips []*v1alpha1.VirtualIP
	for i := range list.Items {
		v := &v1alpha1.VirtualIP{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, v); err != nil {
			return fmt.Errorf("read VirtualIP %s/%s: %w", list.Items[i].GetNamespace(), list.Items[i].GetName(), err)
		}
		raw, vips = append(raw, &list.Items[i]), append(vips, v)
	}
	if !l.out.isOwn() {
		return l.out.printList(l.Out, raw)
	}
	if len(vips) == 0 {
		if l.everyone {
			fmt.Fprintln(l.ErrOut, "No resources found")
		} else {
			fmt.Fprintf(l.ErrOut, "No resources found in %s namespace.\n", namespace)
		}
		return nil
	}
	return l.print(l.Out, vips)
}

func (l *vipListing) print(w io.Writer, vips []*v1alpha1.VirtualIP) error {
	headers := []string{"NAME", "VIP", "PROTOCOL", "ADDRESS", "APP", "READY", "NOT-READY", "DRAINING", "STATUS", "MESSAGE"}
	if l.everyone {
		headers = append([]string{"NAMESPACE"}, headers...)
	}
	slices.SortFunc(vips, func(a, b *v1alpha1.VirtualIP) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	t := newTable(w, l.noHeaders, headers...)
	for _, v := range vips {
		for _, cells := range vipRows(v) {
			if l.everyone {
				cells = append([]string{v.Namespace}, cells...)
			}
			t.row(cells...)
		}
	}
	return t.flush()
}

// vipRows are the lines about a virtual IP, one at least.
func vipRows(v *v1alpha1.VirtualIP) [][]string {
	reason, message := "Unknown", ""
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
		if c := meta.FindStatusCondition(v.Status.Conditions, kind); c != nil {
			reason, message = c.Reason, c.Message
		}
	}
	host := cmp.Or(v.Status.DNSName, v.Spec.IP, v.Spec.Name)
	address := none
	if len(v.Status.Addresses) > 0 {
		address = v.Status.Addresses[0]
	}
	var rows [][]string
	for _, p := range v.Status.Ports {
		backends := p.Backends
		if len(backends) == 0 {
			backends = []v1alpha1.VirtualIPBackends{{}}
		}
		for _, b := range backends {
			rows = append(rows, []string{
				v.Name, net.JoinHostPort(host, strconv.Itoa(int(p.Port))), string(p.Protocol), address, orNone(b.App),
				fmt.Sprint(b.Ready), fmt.Sprint(b.NotReady), fmt.Sprint(b.Draining), reason, message,
			})
		}
	}
	if len(rows) == 0 {
		rows = [][]string{{v.Name, host, none, address, none, "0", "0", "0", reason, message}}
	}
	return rows
}
