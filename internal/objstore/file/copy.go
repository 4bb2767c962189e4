package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/radtier/radtier/internal/objstore"
)

// Copy makes a new object, sharing blocks with the source where the file system
// can, else copied inside the kernel. The checksum that is remembered of the
// source goes with it unread: whoever needs proof of the copy's bytes reads it.
func (s *Store) Copy(ctx context.Context, from, to string, class objstore.Class) (objstore.Info, error) {
	if err := checkKey(to); err != nil {
		return objstore.Info{}, err
	}
	index, err := s.classes.Index(class)
	if err != nil {
		return objstore.Info{}, wrap("copy to", to, err)
	}
	src, info, err := s.openReadable(ctx, "copy", from)
	if err != nil {
		return objstore.Info{}, err
	}
	defer src.Close()
	if err := s.vacant(to); err != nil {
		return objstore.Info{}, wrap("copy to", to, err)
	}
	tmp, err := s.newTemp(index)
	if err != nil {
		return objstore.Info{}, wrap("copy to", to, err)
	}
	defer tmp.discard()
	sum := info.SHA256
	if sum == [sha256.Size]byte{} {
		sum, err = fill(ctx, tmp.f, to, src, info.Size)
	} else {
		err = clone(ctx, tmp.f, src, info.Size)
	}
	if err != nil {
		return objstore.Info{}, wrap("copy to", to, err)
	}
	made, err := s.publish(ctx, tmp, index, to, sum)
	if err != nil {
		return objstore.Info{}, wrap("copy to", to, err)
	}
	return made, nil
}

// clone copies size bytes; os.File does it by copy_file_range where there is that call.
func clone(ctx context.Context, dst, src *os.File, size int64) error {
	if reflink(dst, src) {
		st, err := dst.Stat()
		if err == nil && st.Size() != size {
			err = fmt.Errorf("the file has %d bytes, its object had %d", st.Size(), size)
		}
		return err
	}
	const piece = 16 << 20 // between two looks at the context
	for left := size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(dst, src, min(left, piece))
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the file was cut short: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}
