package file

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Delete removes the object durably, from whatever class it is in. Its folders
// stay, so that no put beside it has to begin again; see Clean.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	unlock, err := s.lock(key)
	if err != nil {
		return wrap("delete", key, err)
	}
	defer unlock()
	for class := range s.dirs {
		if err := s.deleteIn(class, key); err != nil {
			return wrap("delete", key, err)
		}
	}
	return nil
}

func (s *Store) deleteIn(class int, key string) error {
	folder, name := splitKey(key)
	fd, err := s.openFolder(class, folder)
	if errors.Is(err, errNoFolder) || errors.Is(err, errBelowObject) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	st, err := statAt(fd, name)
	switch {
	case err == unix.ENOENT:
		return nil
	case err != nil:
		return err
	case fileType(&st) == unix.S_IFDIR:
		return nil // no object, only a folder of that name
	case fileType(&st) != unix.S_IFREG:
		return errLink
	}
	// Sidecars go first: without its object a sidecar could meet a later object of the same key.
	if err := errors.Join(s.dropSidecar(sumSidecar, key), s.dropSidecar(restoreSidecar, key)); err != nil {
		return err
	}
	if err := unix.Unlinkat(fd, name, 0); err != nil && err != unix.ENOENT {
		return err
	}
	return syncFolder(fd)
}
