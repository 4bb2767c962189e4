package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/radtier/radtier/internal/objstore"
)

// Put streams the body through one buffer of 256 KiB into a file without a key, and links it when it is whole and synced.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, opts objstore.PutOptions) (objstore.Info, error) {
	if err := checkKey(key); err != nil {
		return objstore.Info{}, err
	}
	class, err := s.classes.Index(opts.Class)
	if err != nil {
		return objstore.Info{}, wrap("put", key, err)
	}
	if opts.Size < -1 {
		return objstore.Info{}, fmt.Errorf("put %s: size %d: give the body's bytes, or -1 if they are not known", key, opts.Size)
	}
	if err := ctx.Err(); err != nil {
		return objstore.Info{}, wrap("put", key, err)
	}
	if err := s.vacant(key); err != nil { // before the work; it counts once more under the lock
		return objstore.Info{}, wrap("put", key, err)
	}
	tmp, err := s.newTemp(class)
	if err != nil {
		return objstore.Info{}, wrap("put", key, err)
	}
	defer tmp.discard()
	sum, err := fill(ctx, tmp.f, key, body, opts.Size)
	if err != nil {
		return objstore.Info{}, wrap("put", key, err)
	}
	if opts.SHA256 != [sha256.Size]byte{} && opts.SHA256 != sum {
		return objstore.Info{}, &objstore.ChecksumError{Key: key, Want: opts.SHA256, Got: sum}
	}
	info, err := s.publish(ctx, tmp, class, key, sum)
	if err != nil {
		return objstore.Info{}, wrap("put", key, err)
	}
	return info, nil
}

var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// fill writes the body to dst and returns its SHA-256; size is that of the body, or -1.
func fill(ctx context.Context, dst *os.File, key string, body io.Reader, size int64) (sum [sha256.Size]byte, err error) {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	digest := sha256.New()
	var done int64
	for idle := 0; ; {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		n, readErr := body.Read(buf[:])
		if done += int64(n); size >= 0 && done > size {
			return sum, &objstore.SizeError{Key: key, Want: size, Got: done}
		}
		if err := writeBoth(dst, digest, buf[:n]); err != nil {
			return sum, err
		}
		if idle++; n > 0 {
			idle = 0
		}
		switch {
		case errors.Is(readErr, io.EOF):
			if size >= 0 && done != size {
				return sum, &objstore.SizeError{Key: key, Want: size, Got: done}
			}
			return [sha256.Size]byte(digest.Sum(nil)), nil
		case readErr != nil:
			return sum, fmt.Errorf("read the body after %d bytes: %w", done, readErr)
		case idle > 100:
			return sum, fmt.Errorf("read the body after %d bytes: %w", done, io.ErrNoProgress)
		}
	}
}

func writeBoth(dst *os.File, digest hash.Hash, p []byte) error {
	digest.Write(p)
	_, err := dst.Write(p)
	return err
}

// publish makes a written file durable and gives it its key, if no class holds the key.
func (s *Store) publish(ctx context.Context, tmp *temp, class int, key string, sum [sha256.Size]byte) (objstore.Info, error) {
	fd := int(tmp.f.Fd())
	tmp.setTime(s.clock())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return objstore.Info{}, err
	}
	rec := encodeSum(sum, &st)
	inAttribute := s.setSumAttribute(fd, rec)
	if err := tmp.f.Sync(); err != nil {
		return objstore.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return objstore.Info{}, err
	}
	if inAttribute {
		rec = nil
	}
	if err := s.linkKey(ctx, tmp, class, key, rec); err != nil {
		return objstore.Info{}, err
	}
	return s.info(fd, class, key, &st)
}

// linkKey links the file under its key, durably. The folder may be removed by
// Clean between making and using it; each further attempt needs another such
// coincidence, so that many in a row mean that something else takes files away.
func (s *Store) linkKey(ctx context.Context, tmp *temp, class int, key string, sumRecord []byte) error {
	for range 1000 {
		folder, err := s.linkLocked(tmp, class, key, sumRecord)
		if err == nil {
			defer folder.close()
			return s.syncMade(folder)
		}
		if errors.Is(err, errBelowObject) {
			return fmt.Errorf("%w: %w", err, objstore.ErrUnsupported)
		}
		if err != unix.ENOENT {
			return err
		}
		s.synced.forget()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errVanishing
}

// errVanishing: a class directory, the files of puts under way or /proc were removed by other hands.
var errVanishing = errors.New("the put's folder or file is taken away again and again; see what else removes files in the store")

// linkLocked returns the folder in which it made a name; the caller syncs and closes it.
func (s *Store) linkLocked(tmp *temp, class int, key string, sumRecord []byte) (*madeFolder, error) {
	unlock, err := s.lock(key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.vacant(key); err != nil {
		return nil, err
	}
	path, name := splitKey(key)
	folder, err := s.makeFolder(class, path)
	if err != nil {
		return nil, err
	}
	err = tmp.link(folder.fd, name)
	if err == nil && sumRecord != nil {
		if err = s.writeSidecar(sumSidecar, key, sumRecord); err != nil {
			err = fmt.Errorf("remember the checksum: %w", err)
		}
	}
	if err != nil {
		folder.close()
		if err == unix.EEXIST { // by hands that do not know the lock
			err = objstore.ErrExists
		}
		return nil, err
	}
	return folder, nil
}

// vacant returns nil if the key is free in every class, else ErrExists, or
// ErrUnsupported if it lies below an object or is a folder.
func (s *Store) vacant(key string) error {
	folder, name := splitKey(key)
	for class := range s.dirs {
		fd, err := s.openFolder(class, folder)
		if errors.Is(err, errNoFolder) {
			continue
		}
		if errors.Is(err, errBelowObject) {
			return fmt.Errorf("%w: %w", err, objstore.ErrUnsupported)
		}
		if err != nil {
			return err
		}
		st, err := statAt(fd, name)
		unix.Close(fd)
		switch {
		case err == unix.ENOENT:
		case err != nil:
			return err
		case fileType(&st) == unix.S_IFDIR:
			return fmt.Errorf("other keys lie below this key, or did until lately: %w", objstore.ErrUnsupported)
		default:
			return objstore.ErrExists
		}
	}
	return nil
}
