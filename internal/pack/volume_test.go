package pack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"testing"
)

func TestEveryReceivedFileIsRebuilt(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 150, plainKit)
	v, err := OpenVolume(ctx, Bytes(s.bytes), int64(len(s.bytes)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v.Index, s.index) {
		t.Fatal("index read back differs from the one written")
	}
	dec := NewDecoders(testSet)
	for i, f := range s.files {
		var got bytes.Buffer
		if err := v.Rebuild(ctx, dec, i, &got); err != nil {
			t.Fatalf("rebuild %d (%s): %v", i, f.name, err)
		}
		if !bytes.Equal(got.Bytes(), f.file) {
			t.Fatalf("rebuild %d (%s): %d bytes differ from the received %d", i, f.name, got.Len(), len(f.file))
		}
	}
	rep, err := v.Verify(ctx, dec, VerifyOptions{Decode: true})
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if want := (Report{Bytes: int64(len(s.bytes)), Entries: len(s.index.Entries) + len(s.index.Blocks), Rebuilt: len(s.files)}); rep != want {
		t.Errorf("Verify reports %+v, want %+v", rep, want)
	}
	if losses, err := v.Salvage(ctx, dec); err != nil || losses != nil {
		t.Errorf("Salvage of a sound volume: %v, %v", losses, err)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	a, b := newSample(t, 70, plainKit), newSample(t, 70, plainKit)
	if !bytes.Equal(a.bytes, b.bytes) || a.sum != b.sum {
		t.Fatal("two volumes of the same calls differ")
	}
	if a.sum.Size != int64(len(a.bytes)) {
		t.Fatalf("summary says %d bytes, written %d", a.sum.Size, len(a.bytes))
	}
}

func TestFramesAreReadAsReceived(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 3, plainKit)
	v := NewVolume(s.index, Bytes(s.bytes), nil)
	dec := NewDecoders(testSet)
	for i, inst := range s.index.Instances {
		if inst.Reason != "" {
			continue // several segments of one frame
		}
		at := int64(0)
		for _, seg := range inst.Segments {
			if seg.Kind == SegmentFrame {
				got, err := v.Frame(ctx, dec, i, seg.Ref, nil)
				if err != nil {
					t.Fatalf("frame %d of %d: %v", seg.Ref, i, err)
				}
				if want := s.files[i].file[at : at+seg.Length]; !bytes.Equal(got, want) {
					t.Errorf("frame %d of %d: got %x, want %x", seg.Ref, i, got, want)
				}
			}
			at += seg.Length
		}
	}
}

// The numbers are those that the design promises.
func TestRequests(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 200, plainKit)
	volume, hot := &counting{Ranger: Bytes(s.bytes)}, &counting{Ranger: Bytes(nil)}
	bundle, ranges := bundleOf(t, s)
	hot.Ranger = Bytes(bundle)
	v, err := OpenPart(ctx, hot, ranges.Parts[0], volume)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.files {
		if _, err := v.Header(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	if hot.requests != 1 || volume.requests != 0 {
		t.Errorf("all headers: %d + %d requests, want 1 + 0", hot.requests, volume.requests)
	}
	withResidue := 201 // see newSample
	if s.index.Instances[withResidue].Frames[0].Residue < 0 {
		t.Fatal("no residue where the test expects one")
	}
	if _, err := v.Frame(ctx, NewDecoders(testSet), withResidue, 0, nil); err != nil {
		t.Fatal(err)
	}
	if hot.requests+volume.requests != 2 {
		t.Errorf("one frame with residue: %d requests, want 2", hot.requests+volume.requests)
	}
	volume.requests = 0
	if _, err := OpenVolume(ctx, volume, int64(len(s.bytes))); err != nil || volume.requests > 2 {
		t.Errorf("OpenVolume: %d requests, want at most 2 (%v)", volume.requests, err)
	}
	volume.requests = 0
	if err := v.Rebuild(ctx, NewDecoders(testSet), 202, io.Discard); err != nil || volume.requests != 1 {
		t.Errorf("three neighbouring frames: %d requests, want 1 (%v)", volume.requests, err)
	}
}

func TestVirtualFileHasZerosForFrames(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 2, plainKit)
	v := NewVolume(s.index, Bytes(s.bytes), nil)
	for i, inst := range s.index.Instances {
		want, at := bytes.Clone(s.files[i].file), int64(0)
		for _, seg := range inst.Segments {
			if seg.Kind == SegmentFrame {
				clear(want[at : at+seg.Length])
			}
			at += seg.Length
		}
		r, size, err := v.Virtual(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		if size != int64(len(want)) {
			t.Errorf("instance %d: virtual size %d, want %d", i, size, len(want))
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, size))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("instance %d: virtual file differs (%v)", i, err)
		}
		for _, off := range []int64{0, 1, size / 2, size - 1} {
			var one [3]byte
			n, err := r.ReadAt(one[:], off)
			if !bytes.Equal(one[:n], want[off:min(off+3, size)]) || (n < 3) != (err == io.EOF) {
				t.Errorf("instance %d: ReadAt(3, %d) = %x, %v", i, off, one[:n], err)
			}
		}
	}
}

func TestInexactInstanceIsNotRebuilt(t *testing.T) {
	ctx := t.Context()
	var out bytes.Buffer
	w := NewWriter(&out, "1.2.3", "test")
	img := &Image{Rows: 2, Columns: 2, Frames: 1, Samples: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Photometric: "MONOCHROME2"}
	pix := []byte{1, 2, 3, 4}
	inst := instanceOf(1, 1, img)
	inst.Syntax = "1.2.840.10008.1.2.4.70"
	inst.FileSize = 300 + 999
	inst.Segments = []Segment{{Kind: SegmentHeader, Length: 300}, {Kind: SegmentFrame, Length: 999}} // the received codestream had 999 bytes
	inst.NativeSHA256, inst.SampleSHA256 = FrameDigests(img, pix)
	w.Begin()
	w.AddFrame(FrameData{Data: plainEncode(FrameView(img, pix, false)), Coding: CodingJPEGLS, RawSize: 4, SampleSHA256: inst.SampleSHA256})
	if err := w.End(inst, header(1, 300)); err != nil {
		t.Fatal(err)
	}
	x, sum, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	v := NewVolume(x, Bytes(out.Bytes()), nil)
	v.Size = sum.Size
	if err := v.Rebuild(ctx, NewDecoders(testSet), 0, io.Discard); !errors.Is(err, ErrNotExact) {
		t.Errorf("Rebuild: got %v, want ErrNotExact", err)
	}
	if got, err := v.Frame(ctx, NewDecoders(testSet), 0, 0, nil); err != nil || !bytes.Equal(got, pix) {
		t.Errorf("Frame: got %x, %v, want %x", got, err, pix)
	}
	if _, err := v.Verify(ctx, NewDecoders(testSet), VerifyOptions{Decode: true}); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

func TestWriterRefusesWrongAccounts(t *testing.T) {
	img := &Image{Rows: 2, Columns: 2, Frames: 1, Samples: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
	good := func() Instance {
		i := instanceOf(1, 1, img)
		i.Exact, i.FileSize = true, 304
		i.Segments = []Segment{{Kind: SegmentHeader, Length: 300}, {Kind: SegmentFrame, Length: 4}}
		return i
	}
	for _, c := range []struct {
		name   string
		change func(i *Instance)
		value  bool // store a value that nothing refers to
		ok     bool
	}{
		{"as it should be", func(*Instance) {}, false, true},
		{"file size", func(i *Instance) { i.FileSize++ }, false, false},
		{"header size", func(i *Instance) { i.Segments[0].Length--; i.FileSize-- }, false, false},
		{"no such frame", func(i *Instance) { i.Segments[1].Ref = 1 }, false, false},
		{"no such value", func(i *Instance) { i.Segments[1] = Segment{Kind: SegmentEntry, Length: 4, Ref: 7} }, false, false},
		{"frame taken as value", func(i *Instance) { i.Segments[1].Kind = SegmentEntry }, false, false},
		{"segment beyond its frame", func(i *Instance) { i.Segments[1].Offset = 1 }, false, false},
		{"unused value", func(*Instance) {}, true, false},
		{"codestream without image", func(i *Instance) { i.Image = nil }, false, false},
	} {
		w := NewWriter(io.Discard, "1.2.3", "test")
		w.Begin()
		w.AddFrame(FrameData{Data: make([]byte, 8), Coding: CodingJPEGLS, RawSize: 4})
		if c.value {
			w.AddValue([]byte("v"), 1, CodingBytes)
		}
		inst := good()
		c.change(&inst)
		err := w.End(inst, header(1, 300))
		if (err == nil) != c.ok {
			t.Errorf("%s: End returned %v, want ok %t", c.name, err, c.ok)
		}
		var m *MalformedError
		if err != nil && !errors.As(err, &m) {
			t.Errorf("%s: got %T, want *MalformedError", c.name, err)
		}
		if _, _, again := w.Close(); (again == nil) != c.ok {
			t.Errorf("%s: Close after that returned %v", c.name, again)
		}
	}
}

func TestCallsOutOfOrder(t *testing.T) {
	for name, f := range map[string]func(w *Writer) error{
		"frame before Begin": func(w *Writer) error { _, err := w.AddFrame(FrameData{}); return err },
		"End before Begin":   func(w *Writer) error { return w.End(Instance{}, nil) },
		"Begin twice":        func(w *Writer) error { w.Begin(); return w.Begin() },
		"Close in instance":  func(w *Writer) error { w.Begin(); _, _, err := w.Close(); return err },
		"Close twice":        func(w *Writer) error { w.Close(); _, _, err := w.Close(); return err },
	} {
		if err := f(NewWriter(io.Discard, "1", "test")); !errors.Is(err, errOrder) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// failing is a writer that breaks after n bytes.
type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestWriteErrorsStay(t *testing.T) {
	for _, n := range []int{0, 40, 100, 400} {
		w := NewWriter(&failing{n}, "1", "test")
		w.Begin()
		w.AddFrame(FrameData{Data: make([]byte, 300), RawSize: 300})
		w.End(Instance{FileSize: 300, Exact: true, Segments: []Segment{{Kind: SegmentFrame, Length: 300}}}, nil)
		if _, _, err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %d bytes: Close returned %v, want the write error", n, err)
		}
	}
}

func TestCancelledRebuildStops(t *testing.T) {
	s := newSample(t, 1, plainKit)
	ctx, cancel := context.WithCancel(t.Context())
	v := NewVolume(s.index, Bytes(s.bytes), nil)
	if _, err := v.Header(ctx, 0); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := v.Rebuild(ctx, NewDecoders(testSet), 0, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// bundleOf makes the hot bundle of a volume and of a second one that shares its bytes.
func bundleOf(t testing.TB, s *sample) ([]byte, Bundle) {
	t.Helper()
	var out bytes.Buffer
	w := NewBundleWriter(&out)
	index, err := EncodeIndex(s.index)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.AddPart(index, s.blocks); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"study", "00"} {
		if err := w.AddThumb(name, []byte("jpeg of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), b
}

func TestBundleRanges(t *testing.T) {
	s := newSample(t, 100, plainKit)
	p, b := bundleOf(t, s)
	if err := CheckBundle(p, b.Summary); err != nil {
		t.Error(err)
	}
	if r := b.Thumbs["00"]; string(p[r[0]:r[0]+r[1]]) != "jpeg of 00" {
		t.Errorf("thumbnail range %v holds %q", r, p[r[0]:r[0]+r[1]])
	}
	for n, part := range b.Parts {
		v, err := OpenPart(t.Context(), Bytes(p), part, Bytes(s.bytes))
		if err != nil {
			t.Fatalf("part %d: %v", n, err)
		}
		if _, err := v.Verify(t.Context(), NewDecoders(testSet), VerifyOptions{Decode: true}); err != nil {
			t.Errorf("part %d: %v", n, err)
		}
	}
	p[len(p)/2]++
	if err := CheckBundle(p, b.Summary); err == nil {
		t.Error("a changed bundle passes CheckBundle")
	}
	w := NewBundleWriter(io.Discard)
	for _, name := range []string{"", "a/b", "..", "1.2", "ä"} {
		if err := w.AddThumb(name, nil); err == nil {
			t.Errorf("thumbnail name %q is accepted", name)
		}
	}
}
