package file

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/radtier/radtier/internal/objstore"
)

// Get implements objstore.Store. A reader goes on to the end although the object is deleted meanwhile.
func (s *Store) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	f, info, err := s.openReadable(ctx, "get", key)
	if err != nil {
		return nil, objstore.Info{}, err
	}
	n, err := objstore.CheckRange(key, offset, length, info.Size)
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, objstore.Info{}, err
	}
	return &reader{ctx: ctx, f: f, key: key, left: n}, info, nil
}

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (objstore.Info, error) {
	f, info, err := s.open(ctx, "head", key)
	if err != nil {
		return objstore.Info{}, err
	}
	f.Close()
	return info, nil
}

// openReadable is open for an object whose bytes are wanted.
func (s *Store) openReadable(ctx context.Context, op, key string) (*os.File, objstore.Info, error) {
	f, info, err := s.open(ctx, op, key)
	if err != nil {
		return nil, objstore.Info{}, err
	}
	if !info.Restore.Readable(s.clock()) {
		f.Close()
		return nil, objstore.Info{}, fmt.Errorf("%s %s: %w", op, key, objstore.ErrArchived)
	}
	return f, info, nil
}

// open finds the key in the classes, hot to cold.
func (s *Store) open(ctx context.Context, op, key string) (*os.File, objstore.Info, error) {
	if err := checkKey(key); err != nil {
		return nil, objstore.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, objstore.Info{}, fmt.Errorf("%s %s: %w", op, key, err)
	}
	folder, name := splitKey(key)
	for class := range s.dirs {
		dir, err := s.openFolder(class, folder)
		if errors.Is(err, errNoFolder) || errors.Is(err, errBelowObject) {
			continue
		}
		if err != nil {
			return nil, objstore.Info{}, wrap(op, key, err)
		}
		f, info, err := s.openObject(dir, name, class, key)
		unix.Close(dir)
		if errors.Is(err, objstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, objstore.Info{}, wrap(op, key, err)
		}
		return f, info, nil
	}
	return nil, objstore.Info{}, fmt.Errorf("%s %s: %w", op, key, objstore.ErrNotFound)
}

// openObject opens one object in its folder. ErrNotFound stands for a folder of that name, too.
func (s *Store) openObject(dir int, name string, class int, key string) (*os.File, objstore.Info, error) {
	// O_NONBLOCK: a pipe that somebody put there must not hang us.
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch err {
	case nil:
	case unix.ENOENT:
		return nil, objstore.Info{}, objstore.ErrNotFound
	case unix.ELOOP, unix.ENXIO:
		return nil, objstore.Info{}, errLink
	default:
		return nil, objstore.Info{}, err
	}
	var st unix.Stat_t
	var info objstore.Info
	if err = unix.Fstat(fd, &st); err == nil {
		switch fileType(&st) {
		case unix.S_IFREG:
			info, err = s.info(fd, class, key, &st)
		case unix.S_IFDIR:
			err = objstore.ErrNotFound
		default:
			err = errLink
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, objstore.Info{}, err
	}
	return os.NewFile(uintptr(fd), name), info, nil
}

// info describes an open object.
func (s *Store) info(fd, class int, key string, st *unix.Stat_t) (objstore.Info, error) {
	info := objstore.Info{
		Key: key, Size: st.Size, Modified: time.Unix(0, st.Mtim.Nano()), Class: s.classes[class].Name,
		SHA256: s.sumOf(fd, key, st),
	}
	if info.SHA256 != [32]byte{} {
		info.Version = hex.EncodeToString(info.SHA256[:16])
	} else {
		info.Version = fmt.Sprintf("%x-%x", st.Size, st.Mtim.Nano())
	}
	if !s.classes[class].Archive {
		return info, nil
	}
	rec, err := s.restoreOf(key, st)
	if err != nil {
		return objstore.Info{}, err
	}
	info.Restore = rec.State(s.clock(), s.classes[class])
	return info, nil
}

// reader reads a range of an object until its context is done.
type reader struct {
	ctx  context.Context
	f    *os.File
	key  string
	left int64
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fmt.Errorf("read %s: %w", r.key, err)
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.f.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if errors.Is(err, io.EOF) {
		return n, fmt.Errorf("read %s: the file was cut short: %w", r.key, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return n, wrap("read", r.key, err)
	}
	return n, nil
}

func (r *reader) Close() error { return r.f.Close() }
