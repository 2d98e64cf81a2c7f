// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream" //nolint:staticcheck // client-go's forwarding of ports still speaks it, and not its successor
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/internal/dnsclient"
)

var (
	digLong = templates.LongDesc(`
		Ask the cluster's DNS server for a name of DC/OS, and say which tasks it comes from.

		The question goes through the API server, to a pod of the DNS server: the caller needs
		the right to forward its ports. If there is no such name, it says why that may be.`)

	digExample = templates.Examples(`
		# Ask for the addresses of an App's tasks
		kubectl kdcos dig web.shop.marathon.mesos

		# Ask for their ports
		kubectl kdcos dig _web-shop._tcp.marathon.mesos SRV`)
)

// dnsPort is the port of DNS in the server's pods, dnsLabels select them.
const (
	dnsPort   = "5353"
	dnsLabels = "app.kubernetes.io/component"
)

func newDigCommand(p *plugin) *cobra.Command {
	namespace := "kdcos-system"
	cmd := &cobra.Command{
		Use:                   "dig NAME [TYPE]",
		DisableFlagsInUseLine: true,
		Short:                 "Ask the DNS of kdcos, and say where the answer is from",
		Long:                  digLong,
		Example:               digExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return cmdutil.UsageErrorf(cmd, "need a NAME, and a TYPE if it is not A: AAAA, SRV, SOA, NS or TXT")
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, qtype := strings.ToLower(strings.TrimSuffix(args[0], ".")), "A"
			if len(args) == 2 {
				qtype = strings.ToUpper(args[1])
			} else if strings.HasPrefix(name, "_") {
				qtype = "SRV"
			}
			return p.dig(cmd.Context(), namespace, name, qtype)
		},
	}
	cmd.Flags().StringVar(&namespace, "dns-namespace", namespace, "The namespace that kdcos is installed in.")
	return cmd
}

func (p *plugin) dig(ctx context.Context, namespace, name, qtype string) error {
	c, err := p.cluster()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	answer, err := p.ask(ctx, c, namespace, name, qtype)
	if err != nil {
		return err
	}
	known := c.names(ctx)
	if err := printAnswer(p.Out, name, qtype, answer, known); err != nil {
		return err
	}
	if len(answer.Answers) == 0 {
		fmt.Fprintln(p.Out)
		for _, line := range known.explain(name) {
			fmt.Fprintln(p.Out, line)
		}
		return fmt.Errorf("no %s of %s: %s", qtype, name, answer.Status)
	}
	return nil
}

// printAnswer prints the parts of an answer with the tasks that they are of.
func printAnswer(w io.Writer, name, qtype string, answer *dnsclient.Answer, known *names) error {
	fmt.Fprintf(w, "%s %s: %s\n", name, qtype, answer.Status)
	for _, part := range []struct {
		title   string
		records []dnsclient.Record
	}{{"Answer", answer.Answers}, {"Additional", answer.Additional}} {
		if len(part.records) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s:\n", part.title)
		t := newPart(w, "NAME", "TTL", "TYPE", "VALUE", "FROM")
		for _, r := range part.records {
			t.row(r.Name, fmt.Sprint(r.TTL), r.Type, r.Value, known.from(r))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if answer.Truncated {
		fmt.Fprintln(w, "\nThere is more than fits into a message.")
	}
	return nil
}

// asks asks a pod of the DNS server, through the API server.
func (p *plugin) asks(ctx context.Context, c *cluster, namespace, name, qtype string) (*dnsclient.Answer, error) {
	var pods corev1.PodList
	if err := c.client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{dnsLabels: "dns", "app.kubernetes.io/name": "kdcos"}); err != nil {
		return nil, fmt.Errorf("find the DNS server: %w", err)
	}
	for i := range pods.Items {
		if ready(&pods.Items[i]) {
			config, err := p.flags.ToRESTConfig()
			if err != nil {
				return nil, err
			}
			return askPod(ctx, config, &pods.Items[i], name, qtype)
		}
	}
	if len(pods.Items) > 0 {
		return nil, fmt.Errorf("none of the %d pods of the DNS server in namespace %s is ready", len(pods.Items), namespace)
	}
	return nil, fmt.Errorf("no DNS server in namespace %s: --dns-namespace says where kdcos is installed, with dns.enabled", namespace)
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// askPod asks over a port that is forwarded to the pod.
func askPod(ctx context.Context, config *rest.Config, pod *corev1.Pod, name, qtype string) (*dnsclient.Answer, error) {
	dialer, err := forwarder(config, pod)
	if err != nil {
		return nil, err
	}
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, fmt.Errorf("forward a port to pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	defer connection.Close() //nolint:errcheck // the answer was read
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	headers := http.Header{}
	headers.Set(corev1.PortHeader, dnsPort)
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	problems, err := connection.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	if err := problems.Close(); err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	headers = headers.Clone()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := connection.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	answer, err := dnsclient.Ask(data, true, name, qtype, 0)
	if err != nil {
		if text, _ := io.ReadAll(io.LimitReader(problems, 1<<10)); len(text) > 0 {
			err = errors.New(string(text))
		}
		return nil, fmt.Errorf("ask pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return answer, nil
}

// forwarder speaks WebSocket with API servers that can, and SPDY with others.
func forwarder(config *rest.Config, pod *corev1.Pod) (httpstream.Dialer, error) {
	host, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	url := host.JoinPath("api/v1/namespaces", pod.Namespace, "pods", pod.Name, "portforward")
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	modern, err := portforward.NewSPDYOverWebsocketDialer(url, config)
	if err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	return portforward.NewFallbackDialer(modern, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}
