package pack

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// TestOneFlippedBit flips a bit at positions across the whole volume. Each
// flip must be found, and must cost at most one frame or one value; a header block is
// recovered from the hot bundle, the index from its copy there.
func TestOneFlippedBit(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 10, plainKit)
	hot, ranges := bundleOf(t, s)
	step := 7
	if testing.Short() {
		step = 37
	}
	costs := map[string]int{}
	for at := 0; at < len(s.bytes); at += step {
		p := bytes.Clone(s.bytes)
		p[at] ^= 1 << (at % 8)

		// The pack alone.
		v, err := OpenVolume(ctx, Bytes(p), int64(len(p)))
		if err != nil {
			var d *DamagedError
			if !errors.As(err, &d) || d.Part != "index" {
				t.Fatalf("byte %d: OpenVolume: %v", at, err)
			}
			costs["index"]++
		} else {
			if _, err := v.Verify(ctx, NewDecoders(testSet), VerifyOptions{}); err == nil {
				t.Fatalf("byte %d: a flipped bit passes Verify", at)
			}
			checkLosses(t, ctx, v, s, at, costs, BlockInstances)
		}

		// With the hot bundle.
		v, err = OpenPart(ctx, Bytes(hot), ranges.Parts[0], Bytes(p))
		if err != nil {
			t.Fatal(err)
		}
		v.Size = int64(len(p))
		if _, err := v.Verify(ctx, NewDecoders(testSet), VerifyOptions{}); err == nil {
			t.Fatalf("byte %d: a flipped bit passes Verify with the hot bundle", at)
		}
		checkLosses(t, ctx, v, s, at, nil, 0)
	}
	t.Logf("flips by what they cost: %v", costs)
	for _, kind := range []string{"nothing", "frame", "header block", "index"} {
		if costs[kind] == 0 {
			t.Errorf("no flip cost a %s: the test does not reach it", kind)
		}
	}
}

// checkLosses salvages a volume with one damage and compares what is left with what was received.
func checkLosses(t *testing.T, ctx context.Context, v *Volume, s *sample, at int, costs map[string]int, mayLoseHeaders int) {
	t.Helper()
	dec := NewDecoders(testSet)
	losses, err := v.Salvage(ctx, dec)
	if err != nil {
		t.Fatalf("byte %d: Salvage: %v", at, err)
	}
	lost := map[int]Loss{}
	headers := 0
	for _, l := range losses {
		lost[l.Instance] = l
		if l.Header {
			headers++
		}
		var d *DamagedError
		if !errors.As(l.Err, &d) || d.SOPUID != s.index.Instances[l.Instance].SOPUID {
			t.Fatalf("byte %d: loss is not named: %v", at, l.Err)
		}
		if len(l.Frames) > 1 {
			t.Fatalf("byte %d: frames %v of instance %d are lost", at, l.Frames, l.Instance)
		}
	}
	switch {
	case headers > mayLoseHeaders || headers == 0 && len(losses) > 1:
		t.Fatalf("byte %d: %d instances hurt, %d headers", at, len(losses), headers)
	case costs == nil:
	case headers > 0:
		costs["header block"]++
	case len(losses) > 0:
		costs["frame"]++
	default:
		costs["nothing"]++
	}
	for i, f := range s.files {
		if _, bad := lost[i]; bad {
			continue
		}
		var got bytes.Buffer
		if err := v.Rebuild(ctx, dec, i, &got); err != nil || !bytes.Equal(got.Bytes(), f.file) {
			t.Fatalf("byte %d: instance %d is not restored: %v", at, i, err)
		}
	}
	for i, l := range lost {
		for f := range s.index.Instances[i].Frames {
			_, err := v.Frame(ctx, dec, i, f, nil)
			if isLost := len(l.Frames) > 0 && l.Frames[0] == f; isLost != (err != nil) {
				t.Fatalf("byte %d: frame %d of instance %d: %v, said to be lost: %t", at, f, i, err, isLost)
			}
		}
	}
}

func TestTruncation(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 5, plainKit)
	indexEnd := s.index.dataEnd()
	for n := 0; n < len(s.bytes); n += 7 {
		p := s.bytes[:n]
		v, err := OpenVolume(ctx, Bytes(p), int64(n))
		if err != nil && !damaged(err) {
			t.Fatalf("%d bytes left: %v", n, err)
		}
		if err == nil {
			if _, err := v.Verify(ctx, NewDecoders(testSet), VerifyOptions{}); err == nil {
				t.Fatalf("%d of %d bytes left pass Verify", n, len(s.bytes))
			}
		} else if int64(n) > indexEnd && bytes.Contains(p, []byte(indexMagic)) && n > len(s.bytes)-endBytes {
			t.Fatalf("%d bytes left, the index among them: %v", n, err)
		}
		// By the hot bundle's index: all entries before the cut.
		v = NewVolume(s.index, Bytes(p), func(_ context.Context, i int) ([]byte, error) { return s.blocks[i], nil })
		if _, err := v.Verify(ctx, NewDecoders(testSet), VerifyOptions{}); err == nil {
			t.Fatalf("%d of %d bytes left pass Verify with the hot bundle", n, len(s.bytes))
		}
		losses, err := v.Salvage(ctx, NewDecoders(testSet))
		if err != nil {
			t.Fatal(err)
		}
		lost := map[int]bool{}
		for _, l := range losses {
			lost[l.Instance] = true
		}
		for i := range s.index.Instances {
			inst, end := &s.index.Instances[i], int64(0)
			if list := allEntries(inst); len(list) > 0 {
				e := s.index.Entries[list[len(list)-1]]
				end = e.Offset + e.Size
			}
			if whole := end <= int64(n); whole == lost[i] {
				t.Fatalf("%d bytes left: instance %d ends at %d and lost is %t", n, i, end, lost[i])
			}
		}
	}
}

func TestCentralDirectoryDropped(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 20, plainKit)
	first := bytes.Index(s.bytes[s.index.dataEnd():], []byte("PK\x01\x02")) + int(s.index.dataEnd())
	p := s.bytes[:first]
	v, err := OpenVolume(ctx, Bytes(p), int64(len(p)))
	if err != nil {
		t.Fatalf("OpenVolume: %v", err)
	}
	checkLosses(t, ctx, v, s, first, nil, 0)
	var d *DamagedError
	if _, err := v.Verify(ctx, NewDecoders(testSet), VerifyOptions{}); !errors.As(err, &d) || d.Part != "central directory" {
		t.Errorf("Verify: got %v, want damage of the central directory", err)
	}
}

// A volume that was itself stored as a value must not be taken for the one that holds it.
func TestIndexOfInnerVolumeIsNotTaken(t *testing.T) {
	ctx, inner := t.Context(), newSample(t, 1, plainKit)
	var out bytes.Buffer
	w := NewWriter(&out, "1.2.3", "test")
	w.Begin()
	ref, _ := w.AddValue(inner.bytes, int64(len(inner.bytes)), CodingBytes)
	if err := w.End(Instance{SOPUID: "1.2.3.4", Exact: true, FileSize: int64(len(inner.bytes)), Segments: []Segment{{Kind: SegmentEntry, Length: int64(len(inner.bytes)), Ref: ref}}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p := out.Bytes()
	p[bytes.LastIndex(p, []byte(indexMagic))+100]++
	var d *DamagedError
	if v, err := OpenVolume(ctx, Bytes(p), int64(len(p))); !errors.As(err, &d) {
		t.Errorf("got %v, %v, want damage", v, err)
	}
}

func TestDamageOfSeveralPartsIsListed(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 8, plainKit)
	p := bytes.Clone(s.bytes)
	want := map[string]bool{}
	for _, e := range []int{1, 4, 6} {
		p[s.index.Entries[e].Offset+3] ^= 0x40
		want[s.index.Instances[e].SOPUID] = true
	}
	v := NewVolume(s.index, Bytes(p), nil)
	_, err := v.Verify(ctx, NewDecoders(testSet), VerifyOptions{Decode: true})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %v, want joined errors", err)
	}
	for _, err := range joined.Unwrap() {
		var d *DamagedError
		if !errors.As(err, &d) || d.Part != "frame" || d.Frame != 0 || !want[d.SOPUID] {
			t.Errorf("unexpected: %v", err)
		}
		delete(want, d.SOPUID)
	}
	if len(want) > 0 {
		t.Errorf("not reported: %v", want)
	}
}

// A store that fails is not damage: nobody may repair or give up anything because of it.
func TestStoreFailureIsNotDamage(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 2, plainKit)
	broken := errors.New("connection reset")
	v := NewVolume(s.index, failingRanger{broken}, nil)
	if _, err := OpenVolume(ctx, failingRanger{broken}, 1000); !errors.Is(err, broken) || damaged(err) {
		t.Errorf("OpenVolume: %v", err)
	}
	if _, err := v.Verify(ctx, nil, VerifyOptions{}); !errors.Is(err, broken) || damaged(err) {
		t.Errorf("Verify: %v", err)
	}
	if _, err := v.Salvage(ctx, nil); !errors.Is(err, broken) || damaged(err) {
		t.Errorf("Salvage: %v", err)
	}
}

type failingRanger struct{ err error }

func (f failingRanger) ReadRange(context.Context, int64, int64) ([]byte, error) { return nil, f.err }
