package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// target is where get writes: a directory, one file, or a stream. Through an
// os.Root nothing is ever written outside the directory, whatever links are in it.
type target struct {
	root   *os.Root
	file   string // name in root of the one file; "" for a directory
	stream io.Writer
}

// targetError says that the target cannot be written.
type targetError struct{ error }

func (e *targetError) Unwrap() error { return e.error }

func targetFailed(err error) error {
	if err == nil {
		return nil
	}
	return &targetError{fmt.Errorf("output: %w", err)}
}

// openTarget opens -o. If one file may be meant, a path that is no directory and does not end with a slash is that file.
func openTarget(path string, oneFile bool, stdout io.Writer) (*target, error) {
	if path == "-" {
		return &target{stream: stdout}, nil
	}
	dir, name := path, ""
	if oneFile && !strings.HasSuffix(path, "/") {
		if st, err := os.Stat(path); err != nil || !st.IsDir() {
			dir, name = filepath.Dir(path), filepath.Base(path)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, targetFailed(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, targetFailed(err)
	}
	return &target{root: root, file: name}, nil
}

func (t *target) close() error {
	if t.root == nil {
		return nil
	}
	return t.root.Close()
}

// write makes a file whole or not at all. folder and name are safe already; a target of one file ignores them.
func (t *target) write(folder, name string, fill func(io.Writer) error) (int64, error) {
	if t.root == nil {
		c := &countingWriter{w: t.stream}
		err := fill(c)
		return c.n, err
	}
	path := filepath.Join(folder, name)
	if t.file != "" {
		path = t.file
	} else if err := t.root.Mkdir(folder, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return 0, targetFailed(err)
	}
	part := path + ".part"
	if err := t.root.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, targetFailed(err)
	}
	f, err := t.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, targetFailed(err)
	}
	c := &countingWriter{w: f}
	err = fill(c)
	if closeErr := f.Close(); err == nil {
		err = targetFailed(closeErr)
	}
	if err == nil {
		err = targetFailed(t.root.Rename(part, path))
	}
	if err != nil {
		return 0, errors.Join(err, t.root.Remove(part))
	}
	return c.n, nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, targetFailed(err)
}

// maxName is the longest safe name, so that suffixes fit beside it.
const maxName = 128

// safeName is a UID as the name of a file: what is not a letter, a digit or a
// dot becomes "_", and a name that had to be changed ends with a digest, so that two UIDs never share one.
func safeName(uid string) string {
	var b strings.Builder
	for i := 0; i < len(uid) && i < maxName; i++ {
		c := uid[i]
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			b.WriteByte('_')
		}
	}
	name := b.String()
	if name == uid && uid != "" {
		return name
	}
	return fmt.Sprintf("%s_%x", name, sha256.Sum256([]byte(uid)))[:len(name)+17]
}
