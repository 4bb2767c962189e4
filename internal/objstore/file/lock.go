package file

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// lockTable holds one lock per group of keys, against goroutines by a mutex and
// against other processes by flock, which the system releases when a process
// dies. It is held while a name is made or removed and its sidecar with it, not while data is written.
type lockTable struct {
	groups [lockGroups]lockGroup
}

const lockGroups = 64

type lockGroup struct {
	mu sync.Mutex
	f  *os.File // nil until it is first needed
}

// lock locks the group of a key until the returned function is called.
func (s *Store) lock(key string) (unlock func(), err error) {
	h := fnv.New32a()
	h.Write([]byte(key))
	i := h.Sum32() % lockGroups
	g := &s.locks.groups[i]
	g.mu.Lock()
	if g.f == nil {
		if g.f, err = openLockFile(int(s.private.Fd()), fmt.Sprintf("%02x", i)); err != nil {
			g.mu.Unlock()
			return nil, fmt.Errorf("lock file: %w", err)
		}
	}
	if err := flock(g.f, unix.LOCK_EX); err != nil {
		g.mu.Unlock()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return func() {
		// Unlocking an open file cannot fail but for EINTR, which flock repeats.
		_ = flock(g.f, unix.LOCK_UN)
		g.mu.Unlock()
	}, nil
}

func openLockFile(private int, name string) (*os.File, error) {
	folder, err := makeDirAt(private, "lock")
	if err != nil {
		return nil, err
	}
	defer unix.Close(folder)
	fd, err := openAt(folder, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o660)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}

func (l *lockTable) close() error {
	var errs []error
	for i := range l.groups {
		if f := l.groups[i].f; f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
