// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"os/exec"
	"runtime"
	"syscall"
)

// runTied runs the command so that it ends when this program is killed: a later build shall not meet it. The signal is
// bound to the thread that starts the command, hence the lock.
func runTied(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}
