// Package file is an object store in a directory. It is the embedded default
// and keeps the whole contract of objstore.Store:
//
//	root/<class>/<key>            an object; mode 0440, never changed once it is there
//	root/<class>/~tmp/            puts under way, where the file system has no nameless files
//	root/~radtier/lock|sum|restore  lock files, checksums where there are no extended attributes, restores
//
// A put writes a nameless file (O_TMPFILE), syncs it, links it under its key,
// which fails if the name is taken, and syncs the folders. A crash leaves
// nothing under the key, or the whole object. Names with a tilde are no keys, so they never meet one.
//
// Several processes may use one root: a lock per group of keys makes a key
// unique over the classes. Class directories may be mount points. Below a class directory
// no symbolic link is followed, neither to read nor to write.
//
// Limits of a directory: no key lies below another one (a and a/b): the second put fails
// with ErrUnsupported. lost+found cannot be the first part of a key. Keys must
// not differ in case alone where the file system ignores case. Folders that
// become empty stay, and their names stay taken, until [Store.Clean] removes those that are old.
package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

const (
	internalDir = "~radtier"
	tempDir     = "~tmp"
	folderMode  = 0o750
	objectMode  = 0o440
	staleTemp   = 24 * time.Hour
)

// Options configures a store. The zero value has one class, STANDARD, and the system's clock.
type Options struct {
	// Classes are hot to cold. Their directories are made by Open. A class that
	// is taken out of the list is not seen any more; its directory stays.
	Classes tiers.Classes
	// Clock gives the time of puts and restores.
	Clock func() time.Time

	noNameless, noAttributes bool // tests: as on file systems that lack them
}

// Store is a directory, safe for concurrent use. Use [Open].
type Store struct {
	classes tiers.Classes
	clock   func() time.Time
	dirs    []*classDir // as classes
	private *os.File    // root/~radtier
	locks   lockTable
	synced  folderSet
	opts    Options
}

// classDir is the directory of one class.
type classDir struct {
	*os.File
	probe    sync.Once
	nameless bool // O_TMPFILE and linking its files work here; known after probe
}

func (d *classDir) fd() int { return int(d.Fd()) }

var _ objstore.Store = (*Store)(nil)

// Open opens the store in the directory root, which it makes if there is none.
// It removes what crashed puts of more than a day ago left behind.
func Open(root string, opts Options) (*Store, error) {
	if opts.Classes == nil {
		opts.Classes = tiers.Classes{{Name: "STANDARD"}}
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if err := opts.Classes.Check(); err != nil {
		return nil, fmt.Errorf("object directory %s: %w", root, err)
	}
	s := &Store{classes: slices.Clone(opts.Classes), clock: opts.Clock, opts: opts}
	if err := s.openDirs(root); err != nil {
		return nil, errors.Join(fmt.Errorf("object directory %s: %w", root, err), s.Close())
	}
	for _, d := range s.dirs {
		// What cannot be removed now is in nobody's way and is met again by the next Open or Clean.
		_, _ = cleanTemps(d.fd(), tempDir, staleTemp)
	}
	return s, nil
}

func (s *Store) openDirs(root string) error {
	if err := makeRoot(root); err != nil {
		return err
	}
	top, err := os.Open(root)
	if err != nil {
		return err
	}
	defer top.Close()
	for _, class := range s.classes {
		f, err := makeDirFile(top, string(class.Name))
		if err != nil {
			return err
		}
		s.dirs = append(s.dirs, &classDir{File: f})
	}
	s.private, err = makeDirFile(top, internalDir)
	return err
}

// makeRoot makes root durable, parents included, if it is not there.
func makeRoot(root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	switch st, err := os.Stat(root); {
	case err == nil && st.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("it is not a directory")
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := makeRoot(filepath.Dir(root)); err != nil {
		return err
	}
	if err := os.Mkdir(root, folderMode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	parent, err := os.Open(filepath.Dir(root))
	if err != nil {
		return err
	}
	defer parent.Close()
	return syncFolder(int(parent.Fd()))
}

func makeDirFile(parent *os.File, name string) (*os.File, error) {
	fd, err := makeDirAt(int(parent.Fd()), name)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", name, err)
	}
	if err := syncFolder(int(parent.Fd())); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("sync after making directory %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Close releases the store's file handles. Nothing may be under way, readers of Get excepted.
func (s *Store) Close() error {
	var errs []error
	for _, d := range s.dirs {
		errs = append(errs, d.Close())
	}
	if s.private != nil {
		errs = append(errs, s.private.Close())
	}
	errs = append(errs, s.locks.close())
	return errors.Join(errs...)
}

// Capabilities reports everything as present, Restore if a class is an archive.
func (s *Store) Capabilities() objstore.Capabilities {
	return objstore.Capabilities{CreateOnly: true, Checksum: true, Copy: true, Restore: s.classes.HasArchive(), Classes: s.classes.Names()}
}

// MinimumUntil returns the time before which deleting this object would still be billed by the class it emulates.
func (s *Store) MinimumUntil(info objstore.Info) time.Time {
	i, err := s.classes.Index(info.Class)
	if err != nil {
		return info.Modified
	}
	return s.classes[i].MinimumUntil(info.Modified)
}
