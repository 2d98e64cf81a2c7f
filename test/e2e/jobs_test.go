// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// work is a Job that runs a command.
func work(namespace, name, command string) *v1alpha1.Job {
	return &v1alpha1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.JobSpec{Run: v1alpha1.Run{
			Cmd: &command, Docker: &v1alpha1.RunDocker{Image: "busybox"}, Cpus: ptr.To(0.01), Mem: ptr.To(32.0),
			TaskKillGracePeriodSeconds: ptr.To[int32](1),
		}},
	}
}

// runNow asks for a run.
func runNow(ctx SpecContext, job *v1alpha1.Job, change ...func(*v1alpha1.JobRunSpec)) *v1alpha1.JobRun {
	GinkgoHelper()
	run := &v1alpha1.JobRun{ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, GenerateName: job.Name + "-"}}
	run.Spec = v1alpha1.JobRunSpec{JobName: job.Name, Run: job.Spec.Run}
	for _, c := range change {
		c(&run.Spec)
	}
	Expect(k8s.Create(ctx, run)).To(Succeed())
	return run
}

// stateOf is the state of a run, and the reason.
func stateOf(ctx SpecContext, run *v1alpha1.JobRun) func() string {
	return func() string {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(run), run); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(run.Status.Conditions, v1alpha1.ConditionReady)
		return string(run.Status.State) + " " + c.Reason
	}
}

// runsOf are the runs of a Job, the oldest first.
func runsOf(ctx SpecContext, job *v1alpha1.Job) []v1alpha1.JobRun {
	GinkgoHelper()
	var list v1alpha1.JobRunList
	Expect(k8s.List(ctx, &list, client.InNamespace(job.Namespace), client.MatchingFields{"spec.jobName": job.Name})).To(Succeed())
	slices.SortFunc(list.Items, func(a, b v1alpha1.JobRun) int { return strings.Compare(a.Name, b.Name) })
	return list.Items
}

// everyMinute has a Job run each minute.
func everyMinute(job *v1alpha1.Job, policy v1alpha1.ConcurrencyPolicy) *v1alpha1.Job {
	job.Spec.Schedules = []v1alpha1.Schedule{{ID: "every-minute", Cron: "* * * * *", ConcurrencyPolicy: policy}}
	return job
}

// lineOfLog is what the pod of a run printed.
func lineOfLog(ctx SpecContext, run *v1alpha1.JobRun) string {
	GinkgoHelper()
	last := run.Status.Attempts[len(run.Status.Attempts)-1]
	stream, err := clientset.CoreV1().Pods(run.Namespace).GetLogs(last.Pod, &corev1.PodLogOptions{}).Stream(ctx)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = stream.Close() }()
	all, err := io.ReadAll(stream)
	Expect(err).NotTo(HaveOccurred())
	return string(all)
}

// times is how often a long story repeats itself: fewer times unless asked for more.
func times(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

var _ = Describe("Jobs", func() {
	It("run what a Metronome job ran, where it expects it", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "token"}, Data: map[string][]byte{"value": []byte("hush")},
		})).To(Succeed())
		job := work(namespace, "report", `echo "$MARATHON_APP_ID $TOKEN $MARATHON_APP_LABEL_TEAM $PWD"; ls`)
		job.Spec.Labels = map[string]v1alpha1.LabelValue{"TEAM": "data"}
		job.Spec.Run.Docker, job.Spec.Run.UCR = nil, &v1alpha1.RunUCR{Image: v1alpha1.UCRImage{ID: "busybox"}}
		job.Spec.Run.Secrets = []v1alpha1.Secret{{Name: "token", Source: "token"}}
		job.Spec.Run.Env = []v1alpha1.EnvVar{{Name: "TOKEN", Secret: ptr.To("token")}}
		job.Spec.Run.Volumes = []v1alpha1.RunVolume{{ContainerPath: "key", Secret: ptr.To("token")}}
		Expect(k8s.Create(ctx, job)).To(Succeed())
		run := runNow(ctx, job, func(s *v1alpha1.JobRunSpec) { s.Labels = job.Spec.Labels })
		Eventually(stateOf(ctx, run)).WithTimeout(soon).Should(Equal("SUCCESS Succeeded"))
		Expect(lineOfLog(ctx, run)).To(Equal(fmt.Sprintf("/%s/report/%s hush data /mnt/mesos/sandbox\nkey\n", namespace, run.ID())))
	})

	It("start again at once what fails, until their deadline, and are stopped when asked to", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		failing := work(namespace, "failing", "exit 3")
		failing.Spec.Run.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, ActiveDeadlineSeconds: ptr.To[int32](25)} // a task takes ten seconds where others start, too
		long := work(namespace, "long", "sleep 1000")
		for _, j := range []*v1alpha1.Job{failing, long} {
			Expect(k8s.Create(ctx, j)).To(Succeed())
		}
		fails, goesOn := runNow(ctx, failing), runNow(ctx, long)
		nowhere := runNow(ctx, long, func(s *v1alpha1.JobRunSpec) {
			s.Run.Placement = &v1alpha1.Placement{Constraints: []v1alpha1.PlacementConstraint{{Attribute: "@hostname", Operator: v1alpha1.PlacementIs, Value: ptr.To("nowhere")}}}
			s.StartingDeadlineSeconds = ptr.To[int32](5)
		})
		Eventually(stateOf(ctx, fails)).WithTimeout(soon).Should(Equal("FAILED ActiveDeadlineExceeded"))
		Expect(fails.Status.AttemptCount).To(BeNumerically(">", 1))
		Expect(fails.Status.Attempts[0].ExitCode).To(HaveValue(BeEquivalentTo(3)))
		Eventually(stateOf(ctx, nowhere)).WithTimeout(soon).Should(Equal("FAILED StartingDeadlineExceeded"))
		Eventually(stateOf(ctx, goesOn)).WithTimeout(soon).Should(Equal("ACTIVE Running"))
		before := goesOn.DeepCopy()
		goesOn.Spec.Stop = ptr.To(true)
		Expect(k8s.Patch(ctx, goesOn, client.MergeFrom(before))).To(Succeed())
		Eventually(stateOf(ctx, goesOn)).WithTimeout(soon).Should(Equal("FAILED Stopped"))
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(long), long)).To(Succeed())
			g.Expect(long.Status.FailureCount).To(BeEquivalentTo(2))
			g.Expect(long.Status.ActiveRuns).To(BeZero())
		}).WithTimeout(soon).Should(Succeed())
	})

	It("that may run once at a time drop ticks, and run none of them late", func(ctx SpecContext) {
		job := everyMinute(work(newNamespace(ctx), "slow", "sleep 85"), v1alpha1.ConcurrencyForbid)
		Expect(k8s.Create(ctx, job)).To(Succeed())
		minutes := times("E2E_MINUTES", 3)
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
			g.Expect(job.Status.Schedule).NotTo(BeNil())
			g.Expect(int(job.Status.Schedule.DroppedTicks) + len(runsOf(ctx, job))).To(BeNumerically(">=", minutes))
		}).WithTimeout(time.Duration(minutes+1) * time.Minute).WithPolling(time.Second).Should(Succeed())
		Expect(job.Status.Schedule.DroppedTicks).To(BeNumerically(">=", minutes/2))
		var last time.Time
		for _, run := range runsOf(ctx, job) {
			tick := run.Spec.Trigger.ScheduledAt.Time
			Expect(run.CreationTimestamp.Sub(tick)).To(BeNumerically("<", 3*time.Second))
			Expect(tick.Sub(last)).To(BeNumerically(">=", 2*time.Minute))
			last = tick
		}
	})

	It("run after others, and tell after which of their runs", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		parents := []*v1alpha1.Job{work(namespace, "extract", "true"), work(namespace, "load", "true")}
		child := work(namespace, "report", "true")
		for _, p := range parents {
			Expect(k8s.Create(ctx, p)).To(Succeed())
			child.Spec.Dependencies = append(child.Spec.Dependencies, v1alpha1.JobDependency{ID: namespace + "." + p.Name})
		}
		Expect(k8s.Create(ctx, child)).To(Succeed())
		for i := range times("E2E_RUNS", 3) {
			one, two := runNow(ctx, parents[0]), runNow(ctx, parents[1])
			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(child), child)).To(Succeed())
				g.Expect(child.Status.SuccessCount).To(BeEquivalentTo(i + 1))
			}).WithTimeout(soon).Should(Succeed())
			runs := runsOf(ctx, child)
			Expect(runs).To(HaveLen(min(i+1, 100)))
			var of []string
			for _, p := range runs[len(runs)-1].Spec.Trigger.Parents {
				of = append(of, p.Run)
			}
			Expect(of).To(ConsistOf(one.Name, two.Name))
		}
	})
})

var _ = Describe("Jobs without their manager", Serial, func() {
	It("miss no tick and run none twice, whenever it is killed", func(ctx SpecContext) {
		const jobs = 5
		managers(ctx, 0)
		DeferCleanup(func(ctx SpecContext) { managers(ctx, 1) })
		start := managerProcess(ctx)
		namespace := newNamespace(ctx)
		crash := start()
		var all []*v1alpha1.Job
		for i := range jobs {
			job := everyMinute(work(namespace, fmt.Sprint("tick-", i), "true"), v1alpha1.ConcurrencyAllow)
			if i%2 == 1 {
				job.Spec.Schedules[0].ConcurrencyPolicy = v1alpha1.ConcurrencyForbid
			}
			Expect(k8s.Create(ctx, job)).To(Succeed())
			all = append(all, job)
		}
		ticks := times("E2E_TICKS", 2)
		first := time.Now().Truncate(time.Minute).Add(time.Minute)
		for i := range ticks {
			tick := first.Add(time.Duration(i) * time.Minute)
			time.Sleep(time.Until(tick.Add(time.Duration(rand.IntN(3000)-2000) * time.Millisecond)))
			crash()
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Millisecond)
			crash = start()
		}
		end := first.Add(time.Duration(ticks-1) * time.Minute)
		time.Sleep(time.Until(end.Add(20 * time.Second)))
		for _, job := range all {
			ran := map[time.Time]int{}
			for _, run := range runsOf(ctx, job) {
				ran[run.Spec.Trigger.ScheduledAt.UTC()]++
			}
			for i := range ticks {
				Expect(ran[first.Add(time.Duration(i)*time.Minute).UTC()]).To(Equal(1), "%s, tick %d: %v", job.Name, i, ran)
			}
			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
				g.Expect(job.Status.SuccessCount).To(BeNumerically(">=", ticks))
				g.Expect(job.Status.SuccessCount+job.Status.FailureCount).To(BeEquivalentTo(len(runsOf(ctx, job))), "all are counted")
			}).WithTimeout(soon).Should(Succeed())
		}
		crash()
	})

	It("lose a run with its node, and start it elsewhere only when it is gone", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		once, again := work(namespace, "once", "sleep 1000"), work(namespace, "again", "sleep 1000")
		again.Spec.Run.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure}
		home := homeOfManager(ctx)
		for _, j := range []*v1alpha1.Job{once, again} {
			j.Spec.Run.LostAfterSeconds = ptr.To[int32](1)
			j.Spec.Run.Placement = &v1alpha1.Placement{Constraints: []v1alpha1.PlacementConstraint{{Attribute: "@hostname", Operator: v1alpha1.PlacementUnlike, Value: &home}}}
			Expect(k8s.Create(ctx, j)).To(Succeed())
		}
		fails, restarts := runNow(ctx, once), runNow(ctx, again)
		Eventually(stateOf(ctx, fails)).WithTimeout(soon).Should(Equal("ACTIVE Running"))
		Eventually(stateOf(ctx, restarts)).WithTimeout(soon).Should(Equal("ACTIVE Running"))
		cut := map[string]bool{}
		for _, run := range []*v1alpha1.JobRun{fails, restarts} {
			cut[run.Status.Attempts[0].Node] = true
		}
		for name := range cut {
			DeferCleanup(func(ctx SpecContext) { node(ctx, "heal", name) })
			node(ctx, "cut", name)
		}
		Eventually(stateOf(ctx, fails)).WithTimeout(2 * time.Minute).Should(Equal("FAILED TaskLost"))
		Eventually(stateOf(ctx, restarts)).WithTimeout(2 * time.Minute).Should(Equal("ACTIVE Restarting"))
		Expect(restarts.Status.AttemptCount).To(BeEquivalentTo(1))
		for name := range cut {
			node(ctx, "heal", name)
		}
		Eventually(stateOf(ctx, restarts)).WithTimeout(2 * time.Minute).Should(Equal("ACTIVE Running"))
		Expect(restarts.Status.AttemptCount).To(BeEquivalentTo(2))
		Expect(restarts.Status.Attempts[0].Reason).To(Equal(v1alpha1.ReasonTaskLost))
	})
})
