package study_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"math"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/study"
)

const htj2k = "1.2.840.10008.1.2.4.202"

// progressive is a study of one MR image that is stored as HTJ2K, without a hot bundle.
func progressive(t testing.TB, rows, cols int) (*study.Study, *counting) {
	t.Helper()
	pix := make([]byte, 2*rows*cols)
	for y := range rows {
		for x := range cols {
			v := int(1500 + 900*math.Sin(float64(x)/40)*math.Cos(float64(y)/31))
			pix[2*(y*cols+x)], pix[2*(y*cols+x)+1] = byte(v), byte(v>>8)
		}
	}
	raw, err := dcm.NewBuilder().Text(0x00080016, "1.2.840.10008.5.1.4.1.1.4").Text(0x00080018, "1.2.3.4.5").Text(0x00080060, "MR").
		Text(0x0020000D, "1.2.3").Text(0x0020000E, "1.2.3.4").Text(0x00280004, "MONOCHROME2").Ints(0x00280002, 1).Ints(0x00280010, rows).Ints(0x00280011, cols).
		Ints(0x00280100, 16).Ints(0x00280101, 12).Ints(0x00280102, 11).Ints(0x00280103, 0).Text(0x00281050, "1500").Text(0x00281051, "2000").
		Native(pix).File(study.ExplicitLE)
	if err != nil {
		t.Fatal(err)
	}
	codec, _ := all.Set().Lookup(htj2k)
	stream, layout, err := codec.NewEncoder().Encode(nil, codecs.Interleaved(pix, cols, rows, 1, 16, 12, false), codecs.EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, pix)
	header := append(bytes.Clone(raw[:at]), raw[at+len(pix):]...)
	var buf bytes.Buffer
	w := pack.NewWriter(&buf, "1.2.3", "test")
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	must(w.Begin())
	_, err = w.AddFrame(pack.FrameData{Data: stream, Coding: pack.CodingHTJ2K, RawSize: int64(len(pix)), LevelEnds: layout.LevelEnds})
	must(err)
	must(w.End(pack.Instance{SeriesUID: "1.2.3.4", SOPUID: "1.2.3.4.5", ClassUID: "1.2.840.10008.5.1.4.1.1.4", Syntax: study.ExplicitLE, Stored: htj2k, FileSize: int64(len(raw)),
		FileSHA256: sha256.Sum256(raw), Exact: true,
		Image:    &pack.Image{Rows: rows, Columns: cols, Frames: 1, Samples: 1, BitsAllocated: 16, BitsStored: 12, HighBit: 11, Photometric: "MONOCHROME2", Modality: "MR"},
		Segments: []pack.Segment{{Kind: pack.SegmentHeader, Length: int64(at)}, {Kind: pack.SegmentFrame, Length: int64(len(pix))}, {Kind: pack.SegmentHeader, Length: int64(len(raw) - at - len(pix))}}}, header))
	index, sum, err := w.Close()
	must(err)
	r := &counting{Ranger: pack.Bytes(buf.Bytes())}
	m := &catalog.Manifest{Tenant: "a", StudyUID: "1.2.3", Packs: []catalog.Pack{
		{Key: "preview", Class: catalog.ClassPreview}, // volumes are counted without it
		{Key: "full", Class: catalog.ClassFull, Size: sum.Size, SHA256: hex.EncodeToString(sum.SHA256[:])}}}
	return study.Assemble(m, []*pack.Volume{pack.NewVolume(index, r, nil)}, all.Set()), r
}

type counting struct {
	pack.Ranger
	bytes int64
}

func (c *counting) ReadRange(ctx context.Context, off, n int64) ([]byte, error) {
	c.bytes += n
	return c.Ranger.ReadRange(ctx, off, n)
}

// TestLevels: each level of a frame is drawn, and given as a codestream, from its prefix alone.
func TestLevels(t *testing.T) {
	ctx := context.Background()
	s, r := progressive(t, 260, 300)
	in := s.Instances()[0]
	if in.Pack != 1 {
		t.Errorf("the instance is in pack %d, want 1", in.Pack)
	}
	ends := s.Levels(in, 0)
	if len(ends) != 4 {
		t.Fatalf("%d levels, want 4", len(ends))
	}
	if _, _, err := in.Scan(ctx); err != nil { // header blocks are read once
		t.Fatal(err)
	}
	for drop, size := range []image.Point{{300, 260}, {150, 130}, {75, 65}, {38, 33}} {
		for name, res := range map[string]study.Resolution{"by levels": {Drop: drop}, "at most": {Most: size.X}, "one less than the next": {Most: 2*size.X - 2}} {
			r.bytes = 0
			img, _, err := s.PictureAt(ctx, s.NewDecoders(), in, 0, res)
			if err != nil || img.Bounds().Size() != size {
				t.Fatalf("%s, %+v: got %v, %v; want %v", name, res, img, err, size)
			}
			if want := preview.Prefix(ends, drop); r.bytes != want {
				t.Errorf("%s, %+v: %d bytes were read, want %d", name, res, r.bytes, want)
			}
		}
		small, err := s.FrameLevel(ctx, in, 0, study.Resolution{Drop: drop})
		if err != nil {
			t.Fatal(err)
		}
		codec, _ := all.Set().Lookup(htj2k)
		if info, err := codec.NewDecoder().Probe([][]byte{small}); err != nil || image.Pt(info.Width, info.Height) != size {
			t.Errorf("without %d levels: a codestream of %+v, %v; want %v", drop, info, err, size)
		}
	}
	if _, _, err := s.PictureAt(ctx, s.NewDecoders(), in, 0, study.Resolution{Drop: 4}); err == nil {
		t.Error("a level below the lowest: got no error")
	}
	if _, _, err := s.PictureAt(ctx, s.NewDecoders(), in, 1, study.Resolution{Drop: 1}); err == nil {
		t.Error("a frame that is not there: got no error")
	}
	full, _, err := s.PictureAt(ctx, s.NewDecoders(), in, 0, study.Resolution{})
	if err != nil {
		t.Fatal(err)
	}
	half, _, err := s.PictureAt(ctx, s.NewDecoders(), in, 0, study.Resolution{Drop: 1})
	if err != nil {
		t.Fatal(err)
	}
	for y := range 130 { // the window stays valid: low-pass values have the scale of the samples
		for x := range 150 {
			a, b := int(full.(*image.Gray).GrayAt(2*x, 2*y).Y), int(half.(*image.Gray).GrayAt(x, y).Y)
			if a-b > 4 || b-a > 4 {
				t.Fatalf("pixel %d, %d: %d at half the size, %d in full", x, y, b, a)
			}
		}
	}
}

// TestPreviewReadsAPrefix: a thumbnail takes the levels that it needs and no second full decode.
func TestPreviewReadsAPrefix(t *testing.T) {
	for _, row := range []struct{ rows, cols, want, drop int }{{260, 300, 300, 0}, {700, 1100, 275, 2}, {1100, 130, 33, 2}} {
		s, r := progressive(t, row.rows, row.cols)
		in := s.Instances()[0]
		if _, _, err := in.Scan(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.bytes = 0
		img, _, err := s.Preview(context.Background(), s.NewDecoders(), in, render.PHIAllow)
		if err != nil || img.Bounds().Dx() != row.want {
			t.Fatalf("%d x %d: got %v, %v; want %d columns", row.cols, row.rows, img, err, row.want)
		}
		if want := preview.Prefix(s.Levels(in, 0), row.drop); r.bytes != want {
			t.Errorf("%d x %d: %d bytes were read, want %d", row.cols, row.rows, r.bytes, want)
		}
	}
}

// TestSamplesWithoutLevels: what has no levels says so.
func TestSamplesWithoutLevels(t *testing.T) {
	s, _ := progressive(t, 260, 300)
	in := s.Instances()[0]
	in.Instance.Reason = "kept"
	defer func() { in.Instance.Reason = "" }()
	var unsupported *codecs.UnsupportedError
	if _, err := s.FrameLevel(context.Background(), in, 0, study.Resolution{Drop: 1}); !errors.As(err, &unsupported) {
		t.Errorf("got %v, want an UnsupportedError", err)
	}
}

// TestPreviewsFollowMovedPacks: a full pack that was copied to another key is found by its digest, and one that is gone is not.
func TestPreviewsFollowMovedPacks(t *testing.T) {
	s, _ := progressive(t, 260, 300)
	store, err := mem.New(mem.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w := preview.NewWriter(&buf)
	sum, err := hex.DecodeString(s.Manifest.Packs[1].SHA256)
	if err != nil {
		t.Fatal(err)
	}
	x := &preview.Index{StudyUID: "1.2.3", Volumes: []preview.Volume{{Key: "an old key", SHA256: pack.Digest(sum)}, {Key: "gone", SHA256: pack.Digest{1}}},
		Images: []preview.Image{{Rows: 1, Columns: 1, Samples: 1, Bits: 8}},
		Series: []preview.Series{{UID: "1.2.3.4", Instances: []preview.Instance{{SOPUID: "1.2.3.4.5"}, {SOPUID: "other", Volume: 1}}}}}
	done, at, err := w.Close(x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(context.Background(), "preview", &buf, objstore.PutOptions{Size: done.Size}); err != nil {
		t.Fatal(err)
	}
	index := catalog.Range(at)
	for name, where := range map[string]*catalog.Range{"with": &index, "without": nil} {
		s.Manifest.Packs[0].Index, s.Manifest.Packs[0].Size = where, done.Size
		packs, err := s.Previews(context.Background(), oneStore{store})
		if err != nil || len(packs) != 1 {
			t.Fatalf("%s the place of the index: %d packs, %v", name, len(packs), err)
		}
		list := packs[0].Index.Series[0].Instances
		if in, ok := packs[0].Shown(study.ByInstance(s.Instances()), &list[0]); !ok || in.SOPUID != "1.2.3.4.5" {
			t.Errorf("%s: shows %v, %v", name, in.Instance, ok)
		}
		if _, ok := packs[0].Shown(study.ByInstance(s.Instances()), &list[1]); ok {
			t.Errorf("%s: shows an instance of a pack that the study has not", name)
		}
	}
}

type oneStore struct{ objstore.Store }

func (s oneStore) Hot() objstore.Store                 { return s.Store }
func (s oneStore) Tier(string) (objstore.Store, error) { return s.Store, nil }
