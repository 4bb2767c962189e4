package file

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Cleaned counts what [Store.Clean] removed.
type Cleaned struct {
	Temps   int // files of puts that never ended
	Folders int // empty folders
}

// Clean removes what crashes and deletes left behind and what is older than
// that by the system's clock: files of puts that never ended, and empty
// folders. It may run beside everything else: a folder is removed by the system only while it
// is empty, and a put that finds its folder gone makes it again. A put that
// takes longer than olderThan may fail, on file systems without nameless files; nothing is stored then.
func (s *Store) Clean(ctx context.Context, olderThan time.Duration) (Cleaned, error) {
	var done Cleaned
	for class, d := range s.dirs {
		n, err := cleanTemps(d.fd(), tempDir, olderThan)
		done.Temps += n
		if err != nil {
			return done, wrap("clean", string(s.classes[class].Name), err)
		}
		if err := s.prune(ctx, d.fd(), "", time.Now().Add(-olderThan), &done); err != nil {
			return done, wrap("clean", string(s.classes[class].Name), err)
		}
	}
	for _, kind := range []sidecarKind{sumSidecar, restoreSidecar} {
		n, err := s.cleanSidecars(kind, olderThan)
		done.Temps += n
		if err != nil {
			return done, wrap("clean", string(kind), err)
		}
	}
	return done, nil
}

// cleanTemps removes the old files of the folder ~tmp in dir.
func cleanTemps(dir int, name string, olderThan time.Duration) (int, error) {
	return cleanFiles(dir, name, olderThan, func(string) bool { return true })
}

func (s *Store) cleanSidecars(kind sidecarKind, olderThan time.Duration) (int, error) {
	top, err := openDirAt(int(s.private.Fd()), string(kind))
	if errors.Is(err, errNoFolder) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(top)
	subs, err := readNames(top)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, sub := range subs {
		n, err := cleanFiles(top, sub, olderThan, func(name string) bool { return name[len(name)-1] == '~' })
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func cleanFiles(dir int, folder string, olderThan time.Duration, which func(name string) bool) (int, error) {
	fd, err := openDirAt(dir, folder)
	if errors.Is(err, errNoFolder) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	names, err := readNames(fd)
	if err != nil {
		return 0, err
	}
	removed := 0
	limit := time.Now().Add(-olderThan)
	for _, name := range names {
		st, err := statAt(fd, name)
		if err == unix.ENOENT || !which(name) {
			continue
		}
		if err != nil {
			return removed, err
		}
		if fileType(&st) == unix.S_IFDIR || time.Unix(0, st.Mtim.Nano()).After(limit) {
			continue
		}
		switch err := unix.Unlinkat(fd, name, 0); err {
		case nil:
			removed++
		case unix.ENOENT:
		default:
			return removed, err
		}
	}
	return removed, nil
}

// prune removes the empty folders below dir whose last change is before limit.
func (s *Store) prune(ctx context.Context, dir int, path string, limit time.Time, done *Cleaned) error {
	names, err := readNames(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if name == tempDir || name == lostFound && path == "" {
			continue
		}
		if err := s.pruneOne(ctx, dir, path, name, limit, done); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) pruneOne(ctx context.Context, dir int, path, name string, limit time.Time, done *Cleaned) error {
	st, err := statAt(dir, name) // before its own sub-folders go, which changes its time
	if err == unix.ENOENT || (err == nil && fileType(&st) != unix.S_IFDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	fd, err := openDirAt(dir, name)
	if errors.Is(err, errNoFolder) || errors.Is(err, errBelowObject) {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.prune(ctx, fd, path+name+"/", limit, done)
	unix.Close(fd)
	if err != nil || time.Unix(0, st.Mtim.Nano()).After(limit) {
		return err
	}
	switch err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err {
	case nil:
		s.synced.forget() // its number may go to a namesake
		done.Folders++
	case unix.ENOENT, unix.ENOTEMPTY, unix.EEXIST:
	default:
		return err
	}
	return nil
}
