// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// story is a namespace in which things happen, and what the plans were.
type story struct {
	strings.Builder
	state
	book *book
}

func newStory(quotas ...*quota) *story {
	s := &story{book: newBook()}
	s.now, s.quotas = noon, quotas
	s.wants = map[types.UID]int{}
	for _, q := range quotas {
		fmt.Fprintf(s, "quota %s: cpus %s\n", q.name, number(amounts(q.limits).figure(cpus)))
	}
	return s
}

func ofCPUs(name string, milli int64, change ...func(*quota)) *quota {
	_, prefix := v1alpha1.ScopeOfQuota(name)
	q := &quota{
		name: name, prefix: prefix, limits: limits{milli, noLimit, noLimit, noLimit}, countJobs: true,
		headTimeout: headOfLineTimeout * time.Second, releaseTimeout: releaseTimeout * time.Second, created: noon.Add(-time.Hour),
	}
	for _, c := range change {
		c(q)
	}
	return q
}

func (s *story) create(name string, milli int64, change ...func(*pod)) *pod {
	p := &pod{name: name, uid: types.UID(name), gated: true, need: amounts{cpus: milli}, created: s.now, since: s.now}
	for _, c := range change {
		c(p)
	}
	fmt.Fprintf(s, "%s  %s comes and needs %s\n", s.clock(), name, p.need)
	s.pods = append(s.pods, p)
	return p
}

func ofApp(name string) func(*pod) {
	return func(p *pod) {
		p.isApp, p.object, p.owner, p.ownerName = true, name, types.UID("app-"+name), "App/"+name
	}
}

func (s *story) clock() string { return s.now.Format("15:04:05") }

func (s *story) end(names ...string) {
	fmt.Fprintf(s, "%s  %s goes\n", s.clock(), strings.Join(names, ", "))
	s.pods = slices.DeleteFunc(s.pods, func(p *pod) bool { return slices.Contains(names, p.name) })
}

func (s *story) after(d time.Duration) { s.now = s.now.Add(d) }

// pass makes a plan, does it, and writes it down.
func (s *story) pass() *plan {
	s.book.reconcile(s.pods, s.now)
	s.credits, s.sentBack = s.book.credits, s.book.sentBack
	p := makePlan(&s.state)
	s.book.credits = p.credits
	for _, pod := range p.release {
		fmt.Fprintf(s, "%s    let in %s\n", s.clock(), pod.name)
		pod.gated, pod.released = false, true
		s.book.admit(pod, true)
	}
	for _, pod := range p.sendBack {
		fmt.Fprintf(s, "%s    send back %s\n", s.clock(), pod.name)
		s.book.removed[pod.uid], s.book.sentBack[pod.owner] = true, s.now
	}
	for _, l := range p.lines {
		for _, w := range l.waiting {
			if !slices.Contains(p.release, w.pod) {
				short := "its turn"
				if w.blockedBy != "" {
					short = w.resource + " of " + w.blockedBy
				}
				fmt.Fprintf(s, "%s    %s: %d. %s %s for %s\n", s.clock(), l.quota.name, w.position, w.pod.name, w.reason, short)
			}
		}
	}
	for _, c := range p.credits {
		fmt.Fprintf(s, "%s    kept for %s: %s\n", s.clock(), c.object, c.amounts)
	}
	if !p.again.IsZero() {
		fmt.Fprintf(s, "%s    look again in %s\n", s.clock(), p.again.Sub(s.now))
	}
	return p
}

// TestStories are the rules, one a story. The golden files are for reading.
func TestStories(t *testing.T) {
	for name, tell := range map[string]func(s *story){
		"first come, first served": func(s *story) {
			s.create("a", 2000)
			s.after(time.Second)
			s.create("c", 2000)
			s.create("b", 2000)
			s.pass()
			s.end("a")
			s.pass()
		},
		"the higher priority goes first": func(s *story) {
			s.create("full", 3000)
			s.pass()
			s.create("a", 2000)
			s.after(time.Second)
			s.create("b", 2000, func(p *pod) { p.priority = 7 })
			s.pass()
			s.end("full")
			s.pass()
		},
		"small ones pass until the first has waited too long": func(s *story) {
			s.create("runs", 1500)
			s.pass()
			s.create("large", 3000)
			s.after(time.Second)
			s.create("small-1", 1000)
			s.pass()
			s.after(headOfLineTimeout * time.Second)
			s.create("small-2", 500)
			s.pass()
			s.end("small-1")
			s.pass()
			s.end("runs")
			s.pass()
		},
		"what needs more than the limit stands in nobody's way": func(s *story) {
			s.create("huge", 3001)
			s.after(time.Hour)
			s.create("a", 3000)
			s.pass()
		},
		"a pod that needs none of what is short": func(s *story) {
			s.quotas[0].limits[cpus] = 0
			s.create("none", 0, func(p *pod) { p.need[mem] = 32 * mebi })
			s.create("some", 1)
			s.pass()
		},
		"a restart gets its share back": func(s *story) {
			s.create("web-1", 2000, ofApp("web"))
			s.create("other", 1000)
			s.pass()
			s.create("stranger", 1000)
			s.pass()
			s.after(time.Minute)
			s.end("web-1")
			s.wants["app-web"] = 1
			s.pass()
			s.after(time.Second)
			s.create("web-2", 2000, ofApp("web"))
			s.wants["app-web"] = 0
			s.pass()
		},
		"a share is kept for 30 seconds, and not for an app that wants it no more": func(s *story) {
			s.create("web-1", 1500, ofApp("web"))
			s.create("api-1", 1500, ofApp("api"))
			s.pass()
			s.create("stranger-1", 1500)
			s.create("stranger-2", 1500)
			s.end("web-1", "api-1")
			s.wants["app-web"] = 1
			s.pass()
			s.after(creditTime)
			s.pass()
		},
		"a pod that no node takes waits again, behind the others": func(s *story) {
			s.create("gpu-1", 3000, ofApp("gpu"))
			s.pass()
			s.pods[0].unplaced = s.now
			s.after(time.Second)
			s.create("a", 1000)
			s.pass()
			s.after(releaseTimeout * time.Second)
			s.pass()
			s.end("gpu-1")
			s.create("gpu-2", 3000, ofApp("gpu"), func(p *pod) { p.since = noon })
			s.pass()
		},
		"a limit below what is used stops nothing": func(s *story) {
			s.create("a", 1500)
			s.create("b", 1500)
			s.pass()
			s.quotas[0].limits[cpus] = 1000
			s.create("c", 100)
			s.pass()
			s.end("a")
			s.pass()
			s.end("b")
			s.pass()
		},
		"a quota that is deleted": func(s *story) {
			s.create("a", 2000)
			s.create("b", 2000)
			s.pass()
			s.quotas = nil
			s.pass()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(ofCPUs("dev", 3000))
			tell(s)
			golden(t, name, s.String())
		})
	}
}

// TestStoriesOfOrder are those of a strict line, and of groups in groups.
func TestStoriesOfOrder(t *testing.T) {
	t.Run("strict", func(t *testing.T) {
		s := newStory(ofCPUs("dev", 3000, func(q *quota) { q.strict = true }))
		s.create("runs", 2000)
		s.pass()
		s.create("large", 2000)
		s.after(time.Second)
		s.create("small", 500)
		s.pass()
		s.end("runs")
		s.pass()
		golden(t, "nothing passes in a strict line", s.String())
	})
	t.Run("nested", func(t *testing.T) {
		s := newStory(ofCPUs("dev", 3000), ofCPUs("dev.web", 2000), ofCPUs("dev.web.api", 1000))
		s.create("api-1", 1000, ofApp("web.api.v1"))
		s.create("api-2", 500, ofApp("web.api"))
		s.create("web", 1000, ofApp("web"))
		s.create("webs", 500, ofApp("webs"))
		s.create("job", 500, func(p *pod) { p.isJob, p.object = true, "web.nightly" })
		s.pass()
		golden(t, "all groups above count", s.String())
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(name)+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nwant\n%s", file, got, want)
	}
}
