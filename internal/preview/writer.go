package preview

import (
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/radtier/radtier/internal/pack"
)

const (
	indexName  = "preview.rti"
	chunkBytes = 1 << 20 // an entry is closed when it has as many
)

func chunkName(n int) string { return fmt.Sprintf("c%06d.jhc", n) }

// Writer streams a preview pack to an io.Writer, front to back. It holds one
// chunk of at most 1 MiB and one codestream; the index is its caller's. The bytes depend on nothing but the calls.
type Writer struct {
	zip    *pack.StoredWriter
	chunk  []byte
	chunks int
	err    error
}

// NewWriter starts a preview pack.
func NewWriter(w io.Writer) *Writer { return &Writer{zip: pack.NewStoredWriter(w)} }

// Add stores the small codestream of a frame and sets its Offset, Size and SHA256. The slice is not kept.
func (w *Writer) Add(f *Frame, small []byte) error {
	if w.err != nil {
		return w.err
	}
	if len(w.chunk) > 0 && len(w.chunk)+len(small) > chunkBytes {
		if err := w.flush(); err != nil {
			return err
		}
	}
	f.Offset = w.zip.PayloadOffset(chunkName(w.chunks)) + int64(len(w.chunk))
	f.Size, f.SHA256 = int64(len(small)), sha256.Sum256(small)
	w.chunk = append(w.chunk, small...)
	return nil
}

// EndSeries begins a new entry, so that a series can be taken out with any ZIP program.
func (w *Writer) EndSeries() error { return w.flush() }

func (w *Writer) flush() error {
	if w.err != nil || len(w.chunk) == 0 {
		return w.err
	}
	if _, err := w.zip.Add(chunkName(w.chunks), w.chunk); err != nil {
		w.err = fmt.Errorf("preview: write %s: %w", chunkName(w.chunks), err)
	}
	w.chunks++
	w.chunk = w.chunk[:0]
	return w.err
}

// Size is about how many bytes the pack has so far.
func (w *Writer) Size() int64 { return w.zip.Size() + int64(len(w.chunk)) }

// Close writes the index and the central directory, and returns where the index lies. It does not close the io.Writer.
func (w *Writer) Close(x *Index) (pack.Summary, pack.Range, error) {
	if err := w.flush(); err != nil {
		return pack.Summary{}, pack.Range{}, err
	}
	raw, err := EncodeIndex(x)
	if err != nil {
		return pack.Summary{}, pack.Range{}, err
	}
	at, err := w.zip.Add(indexName, raw)
	if err != nil {
		return pack.Summary{}, pack.Range{}, fmt.Errorf("preview: write %s: %w", indexName, err)
	}
	sum, err := w.zip.Close()
	return sum, pack.Range{at, int64(len(raw))}, err
}
