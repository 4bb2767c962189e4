package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit"
)

// colour is an RGB clip, planar, of which every other frame is noise that no codec shrinks.
func colour(t *testing.T, frames int) []byte {
	t.Helper()
	const side = 80
	var pix []byte
	noise := uint32(1)
	for f := range frames {
		for c := range 3 {
			for i := range side * side {
				noise = noise*1664525 + 1013904223
				v := byte(i/side + i%side + 9*c + f)
				if f%2 == 1 {
					v = byte(noise >> 24)
				}
				pix = append(pix, v)
			}
		}
	}
	b := dcm.NewBuilder().Text(0x00080016, "1.2.840.10008.5.1.4.1.1.7.4").Text(0x00080018, "1.2.3.4.5").Text(0x00080060, "US").
		Text(0x0020000D, "1.2.3").Text(0x0020000E, "1.2.3.4").Text(0x00280004, "RGB").Ints(0x00280002, 3).Ints(0x00280006, 1).Text(0x00280008, fmt.Sprint(frames)).
		Ints(0x00280010, side).Ints(0x00280011, side).Ints(0x00280100, 8).Ints(0x00280101, 8).Ints(0x00280102, 7).Ints(0x00280103, 0).Native(pix)
	raw, err := b.File("1.2.840.10008.1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestStoredForm: an instance whose frames are stored in several codings is written in one syntax, with the photometric
// interpretation, the planar configuration, the offset table and the pad bytes that belong to it (PS3.5 A.4); the received file comes back all the same.
func TestStoredForm(t *testing.T) {
	for _, row := range []struct {
		codec       Codec
		frames      int
		photometric string
	}{{HTJ2K, 5, "YBR_RCT"}, {HTJ2K, 1, "YBR_RCT"}, {JPEGLS, 5, "RGB"}} {
		t.Run(fmt.Sprintf("%s, %d frames", row.codec, row.frames), func(t *testing.T) {
			raw := colour(t, row.frames)
			r := newRig(t, func(o *PipelineOptions) { o.Codecs = CodecRules{{Use: row.codec}} })
			s := r.ingest("a", write(t, raw))[0]
			in, dec, ctx := s.Instances()[0], s.NewDecoders(), context.Background()
			codings := map[pack.Coding]int{}
			for _, f := range in.Frames {
				codings[in.Volume.Index.Entries[f.Entry].Coding]++
			}
			if want, _ := pack.CodingOf(row.codec.Syntax()); codings[want] != (row.frames+1)/2 || len(codings) != min(row.frames, 2) {
				t.Errorf("codings of the frames: %v, want %s for every other one and something else between", codings, want)
			}
			var back, stored bytes.Buffer
			if _, err := s.WriteOriginal(ctx, dec, in, &back); err != nil || !bytes.Equal(back.Bytes(), raw) {
				t.Errorf("the received file did not come back: %v", err)
			}
			if err := s.WriteStored(ctx, dec, in, &stored); err != nil {
				t.Fatal(err)
			}
			file := dcm.Bytes(stored.Bytes())
			f, err := dcm.Scan(file, int64(len(file)), dcm.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if f.Syntax != row.codec.Syntax() || f.Image.Photometric != row.photometric || f.Image.Planar != 0 || len(f.Pixel.Frames) != row.frames || len(f.Pixel.Fragments) != row.frames {
				t.Fatalf("syntax %s, %s, planar configuration %d, %d frames in %d fragments; want %s, %s, 0, %d", f.Syntax, f.Image.Photometric, f.Image.Planar,
					len(f.Pixel.Frames), len(f.Pixel.Fragments), row.codec.Syntax(), row.photometric, row.frames)
			}
			x, _ := all.Set().Lookup(f.Syntax)
			for i := range row.frames {
				pix, err := study.DecodeFragments(ctx, x.NewDecoder(), file, f, i, make([]byte, in.Image.FrameBytes()))
				if err != nil {
					t.Fatal(err)
				}
				if got, want := pack.SampleDigest(f0(in.Image), pix), in.Frames[i].SampleSHA256; got != want {
					t.Errorf("frame %d decodes to samples %x, want %x", i, got, want)
				}
			}
			checkOffsets(t, file, f)
		})
	}
}

// f0 is the image with samples side by side.
func f0(img *pack.Image) *pack.Image {
	x := *img
	x.Planar = false
	return &x
}

// checkOffsets wants an empty offset table for one frame, and for several one whose offsets count from the first byte after it.
func checkOffsets(t *testing.T, file dcm.Bytes, f *dcm.File) {
	t.Helper()
	first := f.Pixel.Fragments[0].ValueOffset - 8
	at := bytes.Index(file, []byte("\xE0\x7F\x10\x00OB\x00\x00\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0"))
	if at < 0 {
		t.Fatal("no encapsulated Pixel Data of VR OB")
	}
	table := file[at+20 : first]
	if n := len(f.Pixel.Fragments); n == 1 && len(table) != 0 || n > 1 && len(table) != 4*n {
		t.Fatalf("offset table of %d bytes for %d frames", len(table), n)
	}
	for i := 0; i < len(table); i += 4 {
		fr := f.Pixel.Fragments[i/4]
		if got, want := int64(binary.LittleEndian.Uint32(table[i:])), fr.ValueOffset-8-first; got != want {
			t.Errorf("offset of frame %d: %d, want %d", i/4, got, want)
		}
		if fr.Length%2 != 0 {
			t.Errorf("fragment %d has %d bytes", i/4, fr.Length)
		}
	}
}

// TestKeptHTJ2K: codestreams of .201, .202 and .203 stay as received; the index knows their levels, their samples where every decoder gives the same, and there is a picture.
func TestKeptHTJ2K(t *testing.T) {
	corpus := testkit.Corpus(t)
	reversible := map[string]bool{
		"families/wg04-CT1/CT1_JPH": true, "families/wg04-US1/US1_JPH": true,
		"syntaxes/htj2k-lossless-201/pydicomdata__HTJ2KLossless_08_RGB.dcm": true,
		"syntaxes/htj2k-203/pydicomdata__HTJ2K_08_RGB.dcm":                  false,
	}
	for _, row := range testkit.CorpusFiles(t, corpus) {
		exact, asked := reversible[row["path"]]
		if !asked {
			continue
		}
		delete(reversible, row["path"])
		t.Run(filepath.Base(row["path"]), func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(corpus, row["path"]))
			if err != nil {
				t.Fatal(err)
			}
			if raw = wrapped(t, raw); raw == nil {
				t.Fatal("no pixel data")
			}
			r := newRig(t, nil)
			s := r.ingest("a", write(t, raw))[0]
			verifyAll(t, s)
			in := s.Instances()[0]
			if !in.Exact || in.Stored != in.Syntax || !strings.HasPrefix(in.Reason, "already compressed") {
				t.Errorf("syntax %s is stored as %s (%q), exact %v; want it kept", in.Syntax, in.Stored, in.Reason, in.Exact)
			}
			want := ""
			if exact {
				want = row["pixel_sha256"]
			}
			if got := fmt.Sprintf("%x", in.NativeSHA256); got != want && (want != "" || in.NativeSHA256 != (pack.Digest{})) {
				t.Errorf("digest of the samples %s, want %q", got, want)
			}
			if len(in.Frames) != 1 {
				t.Fatalf("%d frames, want 1; reason %q", len(in.Frames), in.Reason)
			}
			e := in.Volume.Index.Entries[in.Frames[0].Entry]
			if e.Coding != pack.CodingBytes || len(e.LevelEnds) < 2 {
				t.Errorf("frame is %s of %d bytes with level ends %v, want some", e.Coding, e.Size, e.LevelEnds)
			}
			x, _ := all.Set().Lookup(in.Syntax)
			stream, _, err := in.Volume.FrameBytes(context.Background(), in.Index, 0)
			if err != nil {
				t.Fatal(err)
			}
			info, err := x.NewDecoder().Probe([][]byte{stream})
			if err != nil || info.Lossless != exact {
				t.Errorf("Probe says lossless %v (%v), want %v", info.Lossless, err, exact)
			}
			drop := len(e.LevelEnds) - 1
			w, h := (info.Width+1<<drop-1)>>drop, (info.Height+1<<drop-1)>>drop
			v := codecs.Interleaved(make([]byte, 2*w*h*info.Components), w, h, info.Components, 16, 16, false)
			if err := x.NewDecoder().Decode(v, [][]byte{stream[:e.LevelEnds[0]]}, codecs.DecodeOptions{Reduce: drop}); err != nil {
				t.Errorf("the lowest level out of its prefix: %v", err)
			}
			if img, _, err := s.Picture(context.Background(), s.NewDecoders(), in, 0); err != nil || img.Bounds().Dx() != in.Image.Columns {
				t.Errorf("picture: %v", err)
			}
		})
	}
	for path := range reversible {
		t.Errorf("the corpus has no %s", path)
	}
}

// wrapped puts the only codestream of a file into a data set of our own: that of the corpus may lack UIDs.
func wrapped(t *testing.T, raw []byte) []byte {
	t.Helper()
	f, err := dcm.Scan(dcm.Bytes(raw), int64(len(raw)), dcm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Pixel == nil || len(f.Pixel.Fragments) != 1 {
		return nil
	}
	at, img := f.Pixel.Fragments[0], f.Image
	b := dcm.NewBuilder().Text(0x00080016, f.ClassUID).Text(0x00080018, "1.2.3.4.5").Text(0x00080060, "OT").
		Text(0x0020000D, "1.2.3").Text(0x0020000E, "1.2.3.4").Text(0x00280004, img.Photometric).Ints(0x00280002, img.Samples).Ints(0x00280006, 0).
		Ints(0x00280010, img.Rows).Ints(0x00280011, img.Columns).Ints(0x00280100, img.BitsAllocated).Ints(0x00280101, img.BitsStored).Ints(0x00280102, img.HighBit).
		Ints(0x00280103, map[bool]int{true: 1}[img.Signed]).Encapsulated(nil, raw[at.ValueOffset:at.ValueOffset+at.Length])
	out, err := b.File(f.Syntax)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
