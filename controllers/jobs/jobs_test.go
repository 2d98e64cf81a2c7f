// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobs_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var _ = Describe("Jobs", func() {
	var namespace string

	BeforeEach(func(ctx SpecContext) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "jobs-"}}
		Expect(k8s.Create(ctx, ns)).To(Succeed())
		namespace = ns.Name
	})

	job := func(ctx SpecContext, name, fate string, change ...func(*v1alpha1.Job)) *v1alpha1.Job {
		GinkgoHelper()
		j := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		j.Spec.Run = v1alpha1.Run{Docker: &v1alpha1.RunDocker{Image: "example/work"}}
		if fate != "" {
			j.Spec.Run.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: &fate}}
		}
		for _, c := range change {
			c(j)
		}
		Expect(k8s.Create(ctx, j)).To(Succeed())
		return j
	}
	// run asks for a run, as users do: all that has to be there is the name of the Job.
	run := func(ctx SpecContext, of *v1alpha1.Job, change ...func(*v1alpha1.JobRun)) *v1alpha1.JobRun {
		GinkgoHelper()
		r := &v1alpha1.JobRun{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: of.Name + "-"}}
		r.Spec = v1alpha1.JobRunSpec{JobName: of.Name, Run: of.Spec.Run}
		for _, c := range change {
			c(r)
		}
		Expect(k8s.Create(ctx, r)).To(Succeed())
		return r
	}
	stateOf := func(ctx SpecContext, r *v1alpha1.JobRun) func() string {
		return func() string {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
				return err.Error()
			}
			reason := ""
			if c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady); c != nil {
				reason = c.Reason
			}
			return string(r.Status.State) + " " + reason
		}
	}
	counted := func(ctx SpecContext, j *v1alpha1.Job) func() string {
		return func() string {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(j), j); err != nil {
				return err.Error()
			}
			return fmt.Sprintf("%d+%d, %d active", j.Status.SuccessCount, j.Status.FailureCount, j.Status.ActiveRuns)
		}
	}
	attempts := func(ctx SpecContext, r *v1alpha1.JobRun) int {
		GinkgoHelper()
		var jobs batchv1.JobList
		Expect(k8s.List(ctx, &jobs, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.JobRunLabel: r.Name})).To(Succeed())
		return len(jobs.Items)
	}

	It("run when asked to, and count what becomes of it", func(ctx SpecContext) {
		j, failing := job(ctx, "work", ""), job(ctx, "fail", "fails")
		good, bad := run(ctx, j), run(ctx, failing)
		Eventually(stateOf(ctx, good)).Should(Equal("SUCCESS Succeeded"))
		Expect(good.Status.Attempts).To(HaveLen(1))
		Expect(good.Status.Attempts[0].ExitCode).To(HaveValue(BeEquivalentTo(0)))
		Eventually(stateOf(ctx, bad)).Should(Equal("FAILED TaskFailed"))
		Expect(bad.Status.Attempts[0].ExitCode).To(HaveValue(BeEquivalentTo(3)))
		Eventually(counted(ctx, j)).Should(Equal("1+0, 0 active"))
		Expect(j.Status.LastSuccess.Name).To(Equal(good.Name))
		Eventually(counted(ctx, failing)).Should(Equal("0+1, 0 active"))
	})

	It("start tasks that fail again at once, until their deadline", func(ctx SpecContext) {
		r := run(ctx, job(ctx, "again", "fails", func(j *v1alpha1.Job) {
			j.Spec.Run.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, ActiveDeadlineSeconds: ptr.To[int32](5)}
		}))
		Eventually(stateOf(ctx, r)).Should(Equal("FAILED ActiveDeadlineExceeded"))
		Expect(r.Status.AttemptCount).To(BeNumerically(">", 2))
		Eventually(func() int { return attempts(ctx, r) }).Should(BeNumerically("<=", 5), "old attempts are removed")
	})

	It("fail where no node is found in time, and where a task does not start", func(ctx SpecContext) {
		nowhere := run(ctx, job(ctx, "nowhere", "unplaceable"), func(r *v1alpha1.JobRun) { r.Spec.StartingDeadlineSeconds = ptr.To[int32](3) })
		Eventually(func() string {
			return stateOf(ctx, nowhere)() + meta.FindStatusCondition(nowhere.Status.Conditions, v1alpha1.ConditionReady).Message
		}).Should(And(HavePrefix("INITIAL Waiting"), ContainSubstring("InsufficientCpus 3, of 3 nodes")))
		image := run(ctx, job(ctx, "image", "unpullable"))
		Eventually(stateOf(ctx, image)).Should(Equal("STARTING ImagePull"))
		Eventually(stateOf(ctx, nowhere)).Should(Equal("FAILED StartingDeadlineExceeded"))
		Eventually(stateOf(ctx, image)).WithTimeout(time.Minute).Should(Equal("FAILED LaunchTimeout"))
		Eventually(func() int { return attempts(ctx, nowhere) + attempts(ctx, image) }).Should(BeZero())
	})

	It("stop runs, which then have failed", func(ctx SpecContext) {
		j := job(ctx, "long", "runs")
		r := run(ctx, j)
		Eventually(stateOf(ctx, r)).Should(Equal("ACTIVE Running"))
		Eventually(counted(ctx, j)).Should(Equal("0+0, 1 active"))
		before := r.DeepCopy()
		r.Spec.Stop = ptr.To(true)
		Expect(k8s.Patch(ctx, r, client.MergeFrom(before))).To(Succeed())
		Eventually(stateOf(ctx, r)).Should(Equal("FAILED Stopped"))
		Eventually(counted(ctx, j)).Should(Equal("0+1, 0 active"))
		Eventually(func() int { return attempts(ctx, r) }).Should(BeZero())
	})

	It("count a run that is deleted while it runs, and take theirs with them", func(ctx SpecContext) {
		j := job(ctx, "long", "runs")
		deleted, left := run(ctx, j), run(ctx, j)
		Eventually(stateOf(ctx, deleted)).Should(Equal("ACTIVE Running"))
		Expect(k8s.Delete(ctx, deleted)).To(Succeed())
		Eventually(counted(ctx, j)).Should(Equal("0+1, 1 active"))
		Eventually(stateOf(ctx, deleted)).Should(ContainSubstring("not found"))
		Expect(k8s.Delete(ctx, j)).To(Succeed())
		Eventually(stateOf(ctx, left)).Should(ContainSubstring("not found"))
		Eventually(func(g Gomega) {
			var pods corev1.PodList
			g.Expect(k8s.List(ctx, &pods, client.InNamespace(namespace))).To(Succeed())
			g.Expect(pods.Items).To(BeEmpty())
		}).Should(Succeed())
	})

	It("say what is wrong with them", func(ctx SpecContext) {
		wrong := job(ctx, "wrong", "", func(j *v1alpha1.Job) { j.Spec.Schedules = []v1alpha1.Schedule{{ID: "s", Cron: "61 * * * *"}} })
		unsupported := job(ctx, "unsupported", "", func(j *v1alpha1.Job) { j.Spec.Run.Artifacts = []v1alpha1.Artifact{{URI: "ftp://example.com/x"}} })
		one := job(ctx, "one", "", func(j *v1alpha1.Job) { j.Spec.Dependencies = []v1alpha1.JobDependency{{ID: namespace + ".two"}} })
		message := func(j *v1alpha1.Job, kind string) func() string {
			return func() string {
				if err := k8s.Get(ctx, client.ObjectKeyFromObject(j), j); err != nil {
					return err.Error()
				}
				if c := meta.FindStatusCondition(j.Status.Conditions, kind); c != nil {
					return c.Reason + ": " + c.Message
				}
				return ""
			}
		}
		Eventually(message(wrong, v1alpha1.ConditionStalled)).Should(HavePrefix("Invalid: spec.schedules[0].cron: "))
		Eventually(message(unsupported, v1alpha1.ConditionStalled)).Should(HavePrefix("Unsupported: spec.run.artifacts[0].uri: only http and https are fetched"))
		Eventually(message(one, v1alpha1.ConditionReady)).Should(Equal("UnknownDependencies: Dependencies contain unknown jobs. unknown=[" + namespace + ".two]"))
		job(ctx, "two", "", func(j *v1alpha1.Job) { j.Spec.Dependencies = []v1alpha1.JobDependency{{ID: namespace + ".one"}} })
		Eventually(message(one, v1alpha1.ConditionStalled)).Should(HavePrefix("DependencyCycle: Dependencies have a cycle: "))
	})

	It("run after others, and tell after which runs", func(ctx SpecContext) {
		parent := job(ctx, "parent", "")
		other := job(ctx, "other", "fails")
		child := job(ctx, "child", "", func(j *v1alpha1.Job) {
			j.Spec.Dependencies = []v1alpha1.JobDependency{{ID: namespace + ".parent"}, {ID: namespace + ".other", OnFailure: v1alpha1.ParentFailureRun}}
		})
		for i := range 5 {
			one, two := run(ctx, parent), run(ctx, other)
			Eventually(counted(ctx, child)).Should(Equal(fmt.Sprintf("%d+0, 0 active", i+1)))
			var last v1alpha1.JobRun
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: child.Status.LastRun}, &last)).To(Succeed())
			var names []string
			for _, p := range last.Spec.Trigger.Parents {
				names = append(names, p.Run)
			}
			Expect(names).To(ConsistOf(one.Name, two.Name))
		}
	})

	It("carry out the runs of a full minute, all of them", func(ctx SpecContext) {
		j := job(ctx, "crowd", "")
		tick := metav1.NewTime(time.Now().Truncate(time.Minute))
		for i := range 60 {
			id := fmt.Sprint("s", i)
			r := workload.NewRun(j, v1alpha1.Trigger{Type: v1alpha1.TriggerSchedule, Schedule: id, ScheduledAt: tick}, tick.Time, id)
			Expect(k8s.Create(ctx, r)).To(Succeed())
		}
		Eventually(counted(ctx, j)).WithTimeout(time.Minute).Should(Equal("60+0, 0 active"))
	})

	It("count 500 runs as they were, whatever is cleaned up and restarted meanwhile", Serial, func(ctx SpecContext) {
		limits := func(j *v1alpha1.Job) {
			j.Spec.SuccessfulRunsHistoryLimit, j.Spec.FailedRunsHistoryLimit = ptr.To[int32](3), ptr.To[int32](0)
		}
		good, bad := job(ctx, "good", "", limits), job(ctx, "bad", "fails", limits)
		for i := range 250 {
			run(ctx, good)
			run(ctx, bad)
			if i%60 == 59 {
				Expect(stopManager()).To(Succeed())
				startManager()
			}
		}
		Eventually(counted(ctx, good)).WithTimeout(3 * time.Minute).Should(Equal("250+0, 0 active"))
		Eventually(counted(ctx, bad)).WithTimeout(3 * time.Minute).Should(Equal("0+250, 0 active"))
		Eventually(func(g Gomega) {
			var runs v1alpha1.JobRunList
			g.Expect(k8s.List(ctx, &runs, client.InNamespace(namespace))).To(Succeed())
			g.Expect(runs.Items).To(HaveLen(3))
		}).Should(Succeed())
	})
})
