package file

import (
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// temp is a file of a class that has no key yet. Where the system can, it has no
// name at all, and a crash removes it; else its name is in the class's ~tmp.
type temp struct {
	f      *os.File
	folder int    // ~tmp, if the file has a name; else -1
	name   string // in folder
}

func (s *Store) newTemp(class int) (*temp, error) {
	d := s.dirs[class]
	d.probe.Do(func() { d.nameless = !s.opts.noNameless && namelessWorks(d.fd()) })
	if d.nameless {
		f, err := openNameless(d.fd())
		if err != nil {
			return nil, fmt.Errorf("make a nameless file: %w", err)
		}
		return &temp{f: f, folder: -1}, nil
	}
	return newNamedTemp(d.fd())
}

func newNamedTemp(dir int) (*temp, error) {
	folder, err := makeDirAt(dir, tempDir)
	if err != nil {
		return nil, fmt.Errorf("folder for puts under way: %w", err)
	}
	name := rand.Text() // unique among all processes; O_EXCL proves it
	fd, err := openAt(folder, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, objectMode)
	if err != nil {
		unix.Close(folder)
		return nil, fmt.Errorf("make a file for a put under way: %w", err)
	}
	return &temp{f: os.NewFile(uintptr(fd), name), folder: folder, name: name}, nil
}

// link gives the file its name, or fails with EEXIST if that is taken.
func (t *temp) link(folder int, name string) error {
	for {
		var err error
		if t.folder < 0 {
			err = linkNameless(t.f, folder, name)
		} else {
			err = unix.Linkat(t.folder, t.name, folder, name, 0)
		}
		if err != unix.EINTR {
			return err
		}
	}
}

// discard closes the file and takes its temporary name away. An object that was linked keeps its other name.
func (t *temp) discard() {
	t.f.Close()
	if t.folder >= 0 {
		// If this fails, Clean finds the name.
		_ = unix.Unlinkat(t.folder, t.name, 0)
		unix.Close(t.folder)
	}
}

// setTime sets the time of last change, which is how the store's clock reaches Info.Modified.
func (t *temp) setTime(now time.Time) {
	tv := unix.NsecToTimeval(now.UnixNano())
	// Without it Modified is the system's time, which differs from the store's clock in tests only.
	_ = unix.Futimes(int(t.f.Fd()), []unix.Timeval{tv, tv})
}
