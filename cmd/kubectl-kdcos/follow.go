// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// exitError ends the program with the exit code of a run. All was told already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// follower follows a run to its end.
type follower struct {
	*plugin
	cluster *cluster
	key     types.NamespacedName
	// logs is how to print what the run says, nil not to.
	logs *logging
	// next is the attempt whose log comes next.
	next int32
	// shown says that a log was printed.
	shown bool
	// told is what was last said about the run.
	told string
}

// within follows a run for so long; without an end for 0.
func (f *follower) within(ctx context.Context, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("timed out after %s", timeout))
		defer cancel()
	}
	return f.follow(ctx)
}

func (f *follower) follow(ctx context.Context) error {
	for {
		over, more, err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w: %s", subject(jobRunNoun, f.key.Name), context.Cause(ctx), f.told)
		case err != nil || over:
			return err
		case more:
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
}

// look sees how far the run is, prints what is new of its log, and says whether
// it is over, and whether there is more to see at once.
func (f *follower) look(ctx context.Context) (over, more bool, err error) {
	run, err := f.cluster.jobRun(ctx, f.key)
	switch {
	case ctx.Err() != nil, apierrors.IsNotFound(err), apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return true, false, err
	case err != nil:
		f.tell(err.Error())
		return false, false, nil
	}
	if f.logs != nil {
		next := f.next
		if _, err := f.show(ctx, &run.typed); err != nil {
			return true, false, err
		}
		if f.next > next {
			return false, true, nil // much may have happened meanwhile
		}
	}
	if run.typed.Status.Finished() {
		return true, false, f.end(&run.typed)
	}
	if c := meta.FindStatusCondition(run.typed.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		f.tell(because(c))
	}
	return false, false, nil
}

// tell says what a run waits for, once.
func (f *follower) tell(text string) {
	if text != f.told {
		fmt.Fprintf(f.ErrOut, "Waiting for %s: %s\n", subject(jobRunNoun, f.key.Name), text)
	}
	f.told = text
}

// end tells how a run ended, and ends as it did.
func (f *follower) end(run *v1alpha1.JobRun) error {
	code := exitCode(run)
	if code == 0 {
		fmt.Fprintf(f.ErrOut, "%s succeeded\n", subject(jobRunNoun, run.Name))
		return nil
	}
	complain(f.ErrOut, subject(jobRunNoun, run.Name), fmt.Errorf("failed: %s", orNone(runMessage(run))))
	return exitError(code)
}
