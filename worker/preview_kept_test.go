package worker

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit"
)

// TestPreviewsOfKeptHTJ2K: small pictures of codestreams that are kept as received are cut out of them where they are reversible and
// RPCL, and have the pixels of a reduced decode of the whole codestream; others are made from samples. Levels of them are given out, too.
func TestPreviewsOfKeptHTJ2K(t *testing.T) {
	corpus := testkit.Corpus(t)
	cutOut, made := 0, 0
	for _, row := range testkit.CorpusFiles(t, corpus) {
		switch row["ts_uid"] {
		case "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203":
		default:
			continue
		}
		t.Run(filepath.Base(row["path"]), func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(corpus, row["path"]))
			if err != nil {
				t.Fatal(err)
			}
			if raw = wrapped(t, raw); raw == nil {
				t.Skip("not one fragment")
			}
			r := newRig(t, nil)
			s := r.ingest("a", write(t, raw))[0]
			mustVerify(t, r, s)
			stored := study.ByInstance(s.Instances())
			ctx := context.Background()
			eachPreview(previewsOf(t, r, s), func(q *study.PreviewPack, _ *preview.Series, in *preview.Instance, n int, f *preview.Frame) {
				x, _ := q.Shown(stored, in)
				stream, _, err := x.Volume.FrameBytes(ctx, x.Index, n)
				if err != nil {
					t.Fatal(err)
				}
				known, _ := all.Set().Lookup(x.Syntax)
				info, err := known.NewDecoder().Probe([][]byte{stream})
				if err != nil {
					t.Fatal(err)
				}
				if levels := s.Levels(x, n); len(levels) != info.Levels+1 {
					t.Errorf("%d levels are given out, the codestream has %d", len(levels), info.Levels+1)
				}
				if _, _, err := s.PictureAt(ctx, s.NewDecoders(), x, n, study.Resolution{Drop: info.Levels}); err != nil {
					t.Errorf("picture of the lowest level: %v", err)
				}
				if part, err := s.FrameLevel(ctx, x, n, study.Resolution{Drop: info.Levels}); err != nil || len(part) >= len(stream) {
					t.Errorf("codestream of the lowest level: %d of %d bytes, %v", len(part), len(stream), err)
				}
				t.Logf("%v without %d of %d levels, %d x %d: %d of %d bytes", f.Method, f.Factor, info.Levels, f.Width, f.Height, f.Size, len(stream))
				if f.Method != preview.Reduced {
					made++
					if info.Lossless && x.Syntax == preview.Syntax {
						t.Errorf("made by %v, want it cut out", f.Method)
					}
					return
				}
				cutOut++
				if !info.Lossless {
					t.Error("a small picture of syntax .202 was cut out of an irreversible codestream")
				}
				small, err := q.Frame(ctx, in, n)
				if err != nil {
					t.Fatal(err)
				}
				pixels := func(known codecs.Syntax, src []byte, reduce int) []byte {
					v := codecs.Interleaved(make([]byte, 2*f.Width*f.Height*info.Components), f.Width, f.Height, info.Components, 16, 16, info.Signed)
					if err := known.NewDecoder().Decode(v, [][]byte{src}, codecs.DecodeOptions{Reduce: reduce}); err != nil {
						t.Fatal(err)
					}
					return v.Pix
				}
				lookup, _ := all.Set().Lookup(preview.Syntax)
				if !bytes.Equal(pixels(lookup, small, 0), pixels(known, stream, f.Factor)) {
					t.Error("other pixels than a reduced decode of the whole codestream")
				}
				if whole, err := q.Upgrade(ctx, x, n, f, small); err != nil || !bytes.Equal(whole, stream) {
					t.Errorf("upgraded to %d bytes, %v; want %d", len(whole), err, len(stream))
				}
			})
		})
	}
	if cutOut < 6 || made < 1 {
		t.Errorf("%d small pictures cut out, %d made from samples; want 6 and 1 at least", cutOut, made)
	}
}
