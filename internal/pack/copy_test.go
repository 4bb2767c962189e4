package pack

import (
	"bytes"
	"slices"
	"testing"
)

// Every kind of instance is copied alone: every file is rebuilt from the copy, and what is stored of it is the same.
func TestCopy(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 3, plainKit)
	v := NewVolume(s.index, Bytes(s.bytes), nil)
	dec := NewDecoders(testSet)
	var out bytes.Buffer
	w := NewWriter(&out, s.index.StudyUID, s.index.Writer)
	var order []int
	for i := len(s.files) - 1; i >= 0; i-- { // the other way round, so that nothing is where it was
		if err := w.Copy(ctx, v, i); err != nil {
			t.Fatalf("copy %d (%s): %v", i, s.files[i].name, err)
		}
		order = append(order, i)
	}
	index, _, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	c := NewVolume(index, Bytes(out.Bytes()), nil)
	for n, i := range order {
		var got bytes.Buffer
		if err := c.Rebuild(ctx, dec, n, &got); err != nil {
			t.Fatalf("rebuild the copy of %d (%s): %v", i, s.files[i].name, err)
		}
		if !bytes.Equal(got.Bytes(), s.files[i].file) {
			t.Fatalf("the copy of %d (%s) is rebuilt as another file", i, s.files[i].name)
		}
		a, b := &s.index.Instances[i], &index.Instances[n]
		if a.SampleSHA256 != b.SampleSHA256 || a.NativeSHA256 != b.NativeSHA256 || len(a.Frames) != len(b.Frames) {
			t.Fatalf("the copy of %d (%s) has other digests or frames", i, s.files[i].name)
		}
		for f := range a.Frames {
			x, y := s.index.Entries[a.Frames[f].Entry], index.Entries[b.Frames[f].Entry]
			if x.SHA256 != y.SHA256 || x.Coding != y.Coding || !slices.Equal(x.LevelEnds, y.LevelEnds) {
				t.Errorf("frame %d of the copy of %d (%s) is stored as %+v, was %+v", f, i, s.files[i].name, y, x)
			}
		}
	}
	if _, err := c.Verify(ctx, dec, VerifyOptions{Decode: true}); err != nil {
		t.Errorf("verify the copy: %v", err)
	}
}

// What is damaged is not copied.
func TestCopyDamaged(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 1, plainKit)
	broken := bytes.Clone(s.bytes)
	broken[s.index.Entries[s.index.Instances[0].Frames[0].Entry].Offset] ^= 1
	w := NewWriter(&bytes.Buffer{}, s.index.StudyUID, s.index.Writer)
	if err := w.Copy(ctx, NewVolume(s.index, Bytes(broken), nil), 0); !damaged(err) {
		t.Errorf("copy of a damaged frame: %v, want a DamagedError", err)
	}
}
