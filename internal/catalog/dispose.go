package catalog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// disposer moves or deletes source files after their commit. A file that is
// not as it was pinned is left alone: it is not what was committed.
type disposer struct {
	root, target string
	move         bool
}

func (d *disposer) dispose(f SourceFile) error {
	if f.ETag != "" {
		return errors.New("sources in a bucket are not removed: use its own rules")
	}
	info, err := os.Lstat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // done before
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != f.Size || !info.ModTime().Equal(f.ModTime) {
		return nil
	}
	if !d.move {
		return os.Remove(f.Path)
	}
	rel, err := filepath.Rel(d.root, f.Path)
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		rel = filepath.Base(f.Path)
	}
	return moveFile(f.Path, filepath.Join(d.target, rel), info)
}

// moveFile moves a file, also to another file system, and never overwrites
// one: another file of that name makes it try name~1, name~2, ...; an equal one is as good as moved.
func moveFile(from, to string, info fs.FileInfo) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	for n := 0; n < 1000; n++ {
		name := to
		if n > 0 {
			name = fmt.Sprintf("%s~%d", to, n)
		}
		there, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err := os.Link(from, name) // fails if name exists, unlike a rename
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			if err != nil {
				err = copyFile(from, name, info)
			}
			if err != nil {
				return err
			}
			return os.Remove(from)
		case err != nil:
			return err
		case there.Mode().IsRegular() && there.Size() == info.Size():
			if same, err := sameBytes(from, name); err != nil {
				return err
			} else if same {
				return os.Remove(from)
			}
		}
	}
	return errors.New("too many files of that name in the directory to move to")
}

// partSuffix marks a copy that is not complete.
const partSuffix = ".radtier-part"

func copyFile(from, to string, info fs.FileInfo) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	part := to + partSuffix
	dst, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	n, err := io.Copy(dst, src)
	if err == nil && n != info.Size() {
		err = errors.New("the file changed while it was copied")
	}
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	if err := os.Chtimes(part, info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	return os.Rename(part, to)
}

func sameBytes(a, b string) (bool, error) {
	var sums [2][sha256.Size]byte
	for i, name := range []string{a, b} {
		f, err := os.Open(name)
		if err != nil {
			return false, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return false, err
		}
		h.Sum(sums[i][:0])
	}
	return sums[0] == sums[1], nil
}

// withoutPath drops file names, which may hold patient data, from an error of package os.
func withoutPath(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return fmt.Errorf("%s: %w", pe.Op, pe.Err)
	case errors.As(err, &le):
		return fmt.Errorf("%s: %w", le.Op, le.Err)
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}
