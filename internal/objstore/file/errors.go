package file

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/radtier/radtier/internal/objstore"
)

// wrap names the operation and the key, and marks what may pass by itself: a
// full disk or quota, too many open files, a network file system that is away.
func wrap(op, key string, err error) error {
	for _, passing := range []error{unix.ENOSPC, unix.EDQUOT, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EAGAIN, unix.ESTALE, unix.ETIMEDOUT} {
		if errors.Is(err, passing) {
			return &objstore.TransientError{Op: op, Key: key, Err: err}
		}
	}
	return fmt.Errorf("%s %s: %w", op, key, err)
}

// checkKey is CheckKey and what a directory cannot hold besides.
func checkKey(key string) error {
	if err := objstore.CheckKey(key); err != nil {
		return err
	}
	if first, _, _ := strings.Cut(key, "/"); first == lostFound {
		return &objstore.KeyError{Key: key, Why: "the file system keeps lost+found for itself"}
	}
	return nil
}

// lostFound is in the top directory of a mounted ext file system, readable by root only.
const lostFound = "lost+found"
