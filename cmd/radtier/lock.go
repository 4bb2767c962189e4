package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// workerLock is held while a worker with an embedded queue runs. The kernel
// gives it up when the process ends, however it ends.
type workerLock struct{ f *os.File }

// tryLock takes the lock; nil without an error says that another process has it.
func tryLock(path string) (*workerLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("worker lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("worker lock: %w", err), f.Close())
	}
	return &workerLock{f}, nil
}

// release gives the lock up.
func (l *workerLock) release() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}
