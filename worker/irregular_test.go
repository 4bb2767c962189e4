package worker

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/rle"
	"github.com/radtier/radtier/internal/dcm"
)

// TestEmptyFragments: encapsulated frames with empty fragments, first, in the
// middle, last or all, come back as received, streamed or not, and stop nobody.
func TestEmptyFragments(t *testing.T) {
	const rows, cols = 24, 20
	frame, _, err := rle.NewEncoder().Encode(nil, codecs.Interleaved(make([]byte, rows*cols), cols, rows, 1, 8, 8, false), codecs.EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(frame)%2 == 1 {
		frame = append(frame, 0)
	}
	var files [][]byte
	for _, syntax := range []string{syntaxRLE, "1.2.840.10008.1.2.4.50", syntaxJPEGLS} {
		for n, fragments := range [][][]byte{{nil, frame, frame}, {frame, nil, frame}, {frame, frame, nil}, {nil, nil, nil}, {frame, frame, frame}} {
			b := dcm.NewBuilder().
				Text(0x00080016, "1.2.840.10008.5.1.4.1.1.7.2").Text(0x00080018, fmt.Sprintf("1.2.3.%d.%d", len(files), n)).Text(0x00080060, "OT").
				Text(0x0020000D, "1.2.3").Text(0x0020000E, "1.2.3.4").Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").Ints(0x00280008, 3).
				Ints(0x00280010, rows).Ints(0x00280011, cols).Ints(0x00280100, 8).Ints(0x00280101, 8).Ints(0x00280102, 7).Ints(0x00280103, 0).
				Encapsulated(nil, fragments...)
			raw, err := b.File(syntax)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, raw)
		}
	}
	for _, wholeFile := range []int64{0, 1} {
		t.Run(map[int64]string{0: "held in memory", 1: "streamed"}[wholeFile], func(t *testing.T) {
			r := newRig(t, func(o *PipelineOptions) { o.WholeFile = wholeFile })
			done := make(chan struct{})
			go func() {
				select {
				case <-done:
				case <-time.After(2 * time.Minute):
					panic("the study hangs")
				}
			}()
			s := r.ingest("a", write(t, files...))[0]
			close(done)
			verifyAll(t, s)
			got := originals(t, s)
			for i, f := range files {
				in, ok := got[sha256.Sum256(f)]
				if !ok {
					t.Errorf("file %d is lost", i)
				} else if i%5 != 4 && !in.Exact {
					t.Errorf("file %d has an empty frame and is not kept as received", i)
				}
			}
		})
	}
}
