package pack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// A hot bundle is a ZIP archive of stored entries like a volume:
//
//	p000/index.rti     index of the study's first volume, as in that volume
//	p000/h000000.zst   its header blocks, as there
//	p001/...           the next volume
//	thumb/study.jpg    thumbnails
//
// Each volume's index and blocks follow one another, so one request reads them.

// Range is an offset in an object and a length, in bytes.
type Range [2]int64

// BundlePart is where the index and the header blocks of one volume lie in a hot bundle.
type BundlePart struct {
	Index  Range
	Blocks []Range
}

// Bundle is where everything lies in a hot bundle. A manifest keeps it.
type Bundle struct {
	Parts  []BundlePart
	Thumbs map[string]Range // by name
	Summary
}

// BundleWriter streams a hot bundle. After an error every later call returns that error. It serves one goroutine.
type BundleWriter struct {
	archive archive
	bundle  Bundle
	closed  bool
}

// NewBundleWriter starts a hot bundle.
func NewBundleWriter(w io.Writer) *BundleWriter {
	return &BundleWriter{archive: newArchive(w), bundle: Bundle{Thumbs: make(map[string]Range)}}
}

// AddPart stores the index of the next volume, as EncodeIndex gives it, and its header blocks, as they are in the volume.
func (w *BundleWriter) AddPart(index []byte, blocks [][]byte) error {
	dir := fmt.Sprintf("p%03d/", len(w.bundle.Parts))
	var part BundlePart
	var err error
	if part.Index, err = w.add(dir+indexName, index); err != nil {
		return err
	}
	for i, b := range blocks {
		r, err := w.add(dir+blockName(i), b)
		if err != nil {
			return err
		}
		part.Blocks = append(part.Blocks, r)
	}
	w.bundle.Parts = append(w.bundle.Parts, part)
	return nil
}

// AddThumb stores a thumbnail as thumb/NAME.jpg. Names have letters, digits, '-' and '_' only: never a UID's owner, only its place.
func (w *BundleWriter) AddThumb(name string, jpeg []byte) error {
	if _, twice := w.bundle.Thumbs[name]; twice || !plainName(name) {
		return &MalformedError{fmt.Sprintf("thumbnail name %q is taken or not plain", name), -1}
	}
	r, err := w.add("thumb/"+name+".jpg", jpeg)
	if err != nil {
		return err
	}
	w.bundle.Thumbs[name] = r
	return nil
}

func plainName(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func (w *BundleWriter) add(name string, p []byte) (Range, error) {
	if w.closed {
		return Range{}, fmt.Errorf("%w: bundle is closed", errOrder)
	}
	offset, err := w.archive.add(name, p)
	if err != nil {
		return Range{}, fmt.Errorf("pack: write %s of the hot bundle: %w", name, err)
	}
	return Range{offset, int64(len(p))}, nil
}

// Close completes the bundle. It does not close the io.Writer.
func (w *BundleWriter) Close() (Bundle, error) {
	if w.closed {
		return Bundle{}, fmt.Errorf("%w: bundle is closed", errOrder)
	}
	w.closed = true
	var err error
	if w.bundle.Summary, err = w.archive.close(); err != nil {
		return Bundle{}, fmt.Errorf("pack: write the hot bundle's directory: %w", err)
	}
	return w.bundle, nil
}

// OpenPart opens a volume by the copies in the hot bundle: one request reads
// its index and all header blocks, which are kept, and no request goes to the
// volume before a frame or a damaged copy asks for it. A copy of the index that is damaged is a *DamagedError: use OpenVolume then.
func OpenPart(ctx context.Context, bundle Ranger, part BundlePart, volume Ranger) (*Volume, error) {
	start, end := part.Index[0], part.Index[0]+part.Index[1]
	for _, b := range part.Blocks {
		start, end = min(start, b[0]), max(end, b[0]+b[1])
	}
	if start < 0 || end-start > maxPartBytes {
		return nil, &LimitError{"bytes of a volume's part of the hot bundle", end - start, maxPartBytes}
	}
	p, err := readRange(ctx, bundle, start, end-start)
	if err != nil {
		return nil, err
	}
	sub := func(r Range) ([]byte, error) {
		if r[1] < 0 || r[0]-start > int64(len(p))-r[1] {
			return nil, &MalformedError{"range of the hot bundle is not in its part", r[0]}
		}
		return p[r[0]-start:][:r[1]:r[1]], nil
	}
	packed, err := sub(part.Index)
	if err != nil {
		return nil, err
	}
	x, err := DecodeIndex(packed)
	if err != nil {
		if damaged(err) {
			err = &DamagedError{Part: "copy of the index", Frame: -1, Offset: -1, Err: err}
		}
		return nil, err
	}
	return NewVolume(x, volume, func(_ context.Context, i int) ([]byte, error) {
		if i >= len(part.Blocks) {
			return nil, &DamagedError{Part: fmt.Sprintf("copy of header block %d", i), Frame: -1, Offset: -1, What: "is not in the hot bundle"}
		}
		return sub(part.Blocks[i])
	}), nil
}

const maxPartBytes = 1 << 31

// CheckBundle compares the bytes of a whole hot bundle with its size and SHA-256.
func CheckBundle(p []byte, want Summary) error {
	if int64(len(p)) != want.Size || sha256.Sum256(p) != want.SHA256 {
		return &DamagedError{Part: "hot bundle", Frame: -1, Offset: -1, Err: errors.New("size or SHA-256 differs")}
	}
	return nil
}
