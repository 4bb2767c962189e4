package file

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Sidecars are small files in ~radtier/<kind>/, one per key, for what the
// object's own file cannot hold. They are replaced as a whole, under the key's lock.

type sidecarKind string

const (
	sumSidecar     sidecarKind = "sum"
	restoreSidecar sidecarKind = "restore"
	maxSidecar                 = 4096 // bytes
)

func sidecarName(key string) (folder, name string) {
	h := sha256.Sum256([]byte(key))
	text := hex.EncodeToString(h[:])
	return text[:2], text[2:]
}

// readSidecar returns nil if there is none.
func (s *Store) readSidecar(kind sidecarKind, key string) ([]byte, error) {
	sub, name := sidecarName(key)
	folder, err := s.openSidecarFolder(kind, sub)
	if errors.Is(err, errNoFolder) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(folder)
	fd, err := openAt(folder, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSidecar))
}

// writeSidecar stores data durably: after a crash there is the old sidecar or the new one.
func (s *Store) writeSidecar(kind sidecarKind, key string, data []byte) error {
	sub, name := sidecarName(key)
	folder, err := s.makeSidecarFolder(kind, sub)
	if err != nil {
		return err
	}
	defer unix.Close(folder)
	tmp := rand.Text() + "~"
	fd, err := openAt(folder, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), tmp)
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = unix.Renameat(folder, tmp, folder, name)
	}
	if err != nil {
		_ = unix.Unlinkat(folder, tmp, 0)
		return err
	}
	return syncFolder(folder)
}

func (s *Store) openSidecarFolder(kind sidecarKind, sub string) (int, error) {
	top, err := openDirAt(int(s.private.Fd()), string(kind))
	if err != nil {
		return -1, err
	}
	defer unix.Close(top)
	return openDirAt(top, sub)
}

func (s *Store) makeSidecarFolder(kind sidecarKind, sub string) (int, error) {
	top, err := s.makeSynced(int(s.private.Fd()), string(kind), folderID{-1, string(kind)})
	if err != nil {
		return -1, err
	}
	defer unix.Close(top)
	return s.makeSynced(top, sub, folderID{-1, string(kind) + "/" + sub})
}

// dropSidecar removes a sidecar durably; none is no error.
func (s *Store) dropSidecar(kind sidecarKind, key string) error {
	sub, name := sidecarName(key)
	folder, err := s.openSidecarFolder(kind, sub)
	if errors.Is(err, errNoFolder) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(folder)
	switch err := unix.Unlinkat(folder, name, 0); err {
	case unix.ENOENT:
		return nil
	case nil:
		return syncFolder(folder)
	default:
		return err
	}
}
