package servers

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel end the child when the test process ends, however it ends.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
