package file

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/radtier/radtier/internal/objstore"
)

// List walks all classes at once, one folder after the other: its memory is the
// names of one folder per level. Byte order of keys is the order of names
// within a folder, if the name of a sub-folder is taken with its slash.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		w := &walk{store: s, ctx: ctx, prefix: prefix, after: after, yield: yield}
		folder, _ := splitKey(prefix)
		if strings.HasPrefix(prefix, "/") || (folder != "" && checkKey(folder) != nil) {
			return // no key can have this prefix
		}
		dirs := make([]int, len(s.dirs))
		for class := range dirs {
			fd, err := s.openFolder(class, folder)
			if err != nil && !errors.Is(err, errNoFolder) && !errors.Is(err, errBelowObject) {
				w.fail(err)
				closeAll(dirs[:class])
				return
			}
			dirs[class] = fd
		}
		if folder != "" {
			folder += "/"
		}
		w.folder(dirs, folder)
	}
}

type walk struct {
	store         *Store
	ctx           context.Context
	prefix, after string
	yield         func(objstore.Info, error) bool
}

// entry is a name in a folder, which several classes may have.
type entry struct {
	name    string // with a slash at its end if it is a folder
	classes []int
}

func (w *walk) fail(err error) bool {
	w.yield(objstore.Info{}, wrap("list", w.prefix, err))
	return false
}

// folder yields what lies in a folder, "" or ending in a slash, whose
// directories per class (-1: not there) it closes. It reports whether to go on.
func (w *walk) folder(dirs []int, path string) bool {
	defer closeAll(dirs)
	entries, err := w.entries(dirs, path)
	if err != nil {
		return w.fail(err)
	}
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			return w.fail(err)
		}
		goOn := false
		if name, isFolder := strings.CutSuffix(e.name, "/"); isFolder {
			goOn = w.subFolder(dirs, e, path, name)
		} else {
			goOn = w.object(dirs, e, path)
		}
		if !goOn {
			return false
		}
	}
	return true
}

func (w *walk) subFolder(dirs []int, e entry, path, name string) bool {
	sub := make([]int, len(dirs))
	for class := range sub {
		sub[class] = -1
	}
	for _, class := range e.classes {
		fd, err := openDirAt(dirs[class], name)
		if err != nil && !errors.Is(err, errNoFolder) && !errors.Is(err, errBelowObject) {
			closeAll(sub)
			return w.fail(fmt.Errorf("folder %s%s: %w", path, name, err))
		}
		sub[class] = fd
	}
	return w.folder(sub, path+e.name)
}

func (w *walk) object(dirs []int, e entry, path string) bool {
	for _, class := range e.classes {
		f, info, err := w.store.openObject(dirs[class], e.name, class, path+e.name)
		if errors.Is(err, objstore.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return w.fail(fmt.Errorf("object %s%s: %w", path, e.name, err))
		}
		f.Close()
		return w.yield(info, nil)
	}
	return true
}

// entries returns the names of a folder that can matter, in the order of keys.
func (w *walk) entries(dirs []int, path string) ([]entry, error) {
	var all []entry
	for class, dir := range dirs {
		if dir < 0 {
			continue
		}
		names, err := w.names(dir, path)
		if err != nil {
			return nil, fmt.Errorf("folder %s: %w", path, err)
		}
		for _, name := range names {
			all = append(all, entry{name, []int{class}})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	merged := all[:0]
	for _, e := range all {
		if last := len(merged) - 1; last >= 0 && merged[last].name == e.name {
			merged[last].classes = append(merged[last].classes, e.classes...)
		} else {
			merged = append(merged, e)
		}
	}
	return merged, nil
}

func (w *walk) names(dir int, path string) ([]string, error) {
	found, err := readNames(dir)
	if err != nil {
		return nil, err
	}
	names := found[:0]
	for _, name := range found {
		if !objstore.ValidPart(name) || (path == "" && name == lostFound) || !w.matters(path+name) {
			continue
		}
		// The directory entry's type is not asked: some file systems do not tell it.
		st, err := statAt(dir, name)
		switch {
		case err == unix.ENOENT:
		case err != nil:
			return nil, err
		case fileType(&st) == unix.S_IFDIR:
			if key := path + name + "/"; strings.HasPrefix(key, w.prefix) && (key > w.after || strings.HasPrefix(w.after, key)) {
				names = append(names, name+"/")
			}
		case fileType(&st) == unix.S_IFREG:
			if key := path + name; strings.HasPrefix(key, w.prefix) && key > w.after {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// matters is a cheap first look at a name of unknown type, to spare the rest of a large folder a stat.
func (w *walk) matters(key string) bool {
	return strings.HasPrefix(key+"/", w.prefix) && (key+"/" > w.after || strings.HasPrefix(w.after, key+"/"))
}

// readNames returns the names in an open directory, which stays open.
func readNames(dir int) ([]string, error) {
	fd, err := openDirAt(dir, ".")
	if errors.Is(err, errNoFolder) {
		return nil, nil // removed meanwhile
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "folder")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil // removed while open
	}
	return names, err
}

func closeAll(dirs []int) {
	for _, fd := range dirs {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
