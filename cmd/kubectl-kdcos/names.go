// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/dnsclient"
	"github.com/kdcos/kdcos/internal/dnsnames"
	"github.com/kdcos/kdcos/internal/pathid"
)

// names are those that the caller's Apps, pods and virtual IPs have or would have.
type names struct {
	// sources are who has a value, by name.
	sources map[string]map[dnsnames.Value][]string
	// would are names that there would be if something was not wrong, and what is.
	would map[string]string
	// unseen is what the caller may not look at.
	unseen []string
}

// names finds what it can. That the caller may not see all is no reason to fail:
// the answer is there.
func (c *cluster) names(ctx context.Context) *names {
	n := &names{sources: map[string]map[dnsnames.Value][]string{}, would: map[string]string{}}
	apps, err := c.apps(ctx, "", labels.Everything())
	n.missed(err)
	for _, app := range apps {
		n.addApp(app, c.id(app))
	}
	var pods corev1.PodList
	n.missed(c.client.List(ctx, &pods, client.HasLabels{v1alpha1.AppLabel}))
	for i := range pods.Items {
		n.addPod(&pods.Items[i], c.mapping)
	}
	vips := &unstructured.UnstructuredList{}
	vips.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("VirtualIPList"))
	n.missed(c.client.List(ctx, vips))
	for i := range vips.Items {
		var v v1alpha1.VirtualIP
		if runtime.DefaultUnstructuredConverter.FromUnstructured(vips.Items[i].Object, &v) == nil {
			n.addVirtualIP(&v)
		}
	}
	return n
}

func (n *names) missed(err error) {
	if err != nil {
		n.unseen = append(n.unseen, err.Error())
	}
}

func (n *names) add(records []dnsnames.Record, source string) {
	for _, r := range records {
		if n.sources[r.Name] == nil {
			n.sources[r.Name] = map[dnsnames.Value][]string{}
		}
		if !slices.Contains(n.sources[r.Name][r.Value], source) {
			n.sources[r.Name][r.Value] = append(n.sources[r.Name][r.Value], source)
		}
	}
}

// addApp notes the names that an App's tasks have while any run.
func (n *names) addApp(app *observed, id string) {
	if id == "" {
		return
	}
	why := "none of its tasks runs"
	if ready := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Message != "" {
		why += ": " + ready.Message
	}
	task := dnsnames.Task{Name: pathid.Reversed(id), Framework: v1alpha1.FrameworkMarathon, Discovered: true}
	for _, name := range task.Names() {
		n.would[name] = fmt.Sprintf("It is a name of the App %s, and %s", id, why)
	}
}

func (n *names) addPod(pod *corev1.Pod, mapping pathid.Mapping) {
	tasks, err := dnsnames.Tasks(pod, mapping)
	n.missed(err)
	for i := range tasks {
		n.add(tasks[i].Records(), fmt.Sprintf("pod %s/%s on %s", pod.Namespace, pod.Name, pod.Spec.NodeName))
	}
}

func (n *names) addVirtualIP(v *v1alpha1.VirtualIP) {
	served, source := dnsnames.VirtualIPOf(v), fmt.Sprintf("VirtualIP %s/%s", v.Namespace, v.Name)
	n.add(served.Records(), source)
	if len(served.Records()) > 0 || v.Spec.Name == "" {
		return
	}
	why := "has no address yet"
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReady} {
		if c := meta.FindStatusCondition(v.Status.Conditions, kind); c != nil && c.Message != "" {
			why = "is not served: " + c.Message
			break
		}
	}
	key, err := v.Spec.Key()
	if err != nil {
		return
	}
	n.would[key+"."+v1alpha1.VIPZone] = fmt.Sprintf("It is the name of the %s, which %s", source, why)
}

// zoneOf tells where a name is, whatever the cluster is called in dcos.directory.
func zoneOf(name string) (dnsnames.Place, bool) {
	id := ""
	if rest, found := strings.CutSuffix(name, ".dcos.directory"); found {
		id = rest[strings.LastIndexByte(rest, '.')+1:]
	}
	return dnsnames.NewZones(id).Find(name)
}

// from says who a record is of.
func (n *names) from(r dnsclient.Record) string {
	at, ours := zoneOf(strings.ToLower(r.Name))
	if !ours {
		return none
	}
	value := dnsnames.Value{Addr: r.Address, Port: r.Port}
	if r.Target != "" {
		target, _ := zoneOf(strings.ToLower(r.Target))
		value.Target = target.Name
	}
	return orNone(strings.Join(n.sources[at.Name][value], ", "))
}

// explain says what may be wrong with a question that has no answer.
func (n *names) explain(name string) []string {
	at, ours := zoneOf(name)
	if !ours {
		return []string{fmt.Sprintf("It is in none of the zones of DC/OS: %s and <id>.dcos.directory.", strings.Join(dnsnames.NewZones("").Apexes(), ", "))}
	}
	var lines []string
	if values := n.sources[at.Name]; len(values) > 0 {
		types := map[string]bool{}
		for v := range values {
			types[v.Type()] = true
		}
		lines = append(lines, fmt.Sprintf("The name is there, but has only %s.", strings.Join(slices.Sorted(maps.Keys(types)), " and ")))
	} else if why, found := n.would[at.Name]; found {
		lines = append(lines, why+".")
	} else {
		for _, other := range n.similar(at.Name) {
			lines = append(lines, "Do you mean "+other+"?")
		}
	}
	if len(lines) == 0 {
		lines = []string{"No App, task or VirtualIP that you may see has a name like it."}
	}
	for _, text := range n.unseen {
		lines = append(lines, "Not all could be looked at: "+text)
	}
	return lines
}

// similar are up to three names that were meant, perhaps: misspelt, with their
// parts in the other order, or of another zone.
func (n *names) similar(name string) []string {
	type candidate struct {
		name string
		far  int
	}
	var all []candidate
	at, _ := zoneOf(name)
	asked := []string{name, reversed(name)}
	for _, other := range slices.Sorted(maps.Keys(n.sources)) {
		far := 4
		for _, a := range asked {
			far = min(far, distance(a, other, 4))
		}
		if first, _, _ := strings.Cut(name, ".marathon."); far > 3 && strings.HasPrefix(other, strings.TrimSuffix(first, ".mesos")+".marathon.") {
			far = 2
		}
		if theirs, _ := zoneOf(other); theirs.Apex != at.Apex {
			far++
		}
		if far < 4 {
			all = append(all, candidate{other, far})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return a.far - b.far })
	var out []string
	for _, c := range all[:min(3, len(all))] {
		out = append(out, c.name)
	}
	return out
}

// reversed is a name with the parts of the task in the other order: ids go the
// other way round.
func reversed(name string) string {
	task, rest, found := strings.Cut(name, ".marathon.")
	if !found {
		return name
	}
	parts := strings.FieldsFunc(task, func(r rune) bool { return r == '-' || r == '.' })
	slices.Reverse(parts)
	return strings.Join(parts, "-") + ".marathon." + rest
}

// distance is the number of letters to change, add or take away to make one text
// of another, or limit where it is that or more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return min(row[len(b)], limit)
}
