//go:build !linux

package worker

import "os/exec"

// dieWithParent does nothing here: the child is ended by Close.
func dieWithParent(*exec.Cmd) {}
