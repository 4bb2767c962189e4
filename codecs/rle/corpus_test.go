package rle_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/rle"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
)

const (
	rleSyntax  = "1.2.840.10008.1.2.5"
	explicitLE = "1.2.840.10008.1.2.1"
)

// scan reads a DICOM file.
func scan(t *testing.T, path string) (*dcm.File, []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f, data
}

// frames returns the fragments of each frame of an encapsulated file.
func frames(t *testing.T, f *dcm.File, data []byte) [][][]byte {
	t.Helper()
	if f.Pixel == nil || f.Pixel.FrameProblem != "" {
		t.Fatalf("no frames: %+v", f.Pixel)
	}
	var list [][][]byte
	for _, span := range f.Pixel.Frames {
		var src [][]byte
		for _, fragment := range f.Pixel.Fragments[span[0]:span[1]] {
			src = append(src, data[fragment.ValueOffset:fragment.ValueOffset+fragment.Length])
		}
		list = append(list, src)
	}
	return list
}

// whole is the view of a frame with all bits of its words, as pixel_sha256 of the manifest wants it.
func whole(img *dcm.Image) codecs.View {
	size := img.Rows * img.Columns * img.Samples * img.BitsAllocated / 8
	return codecs.Interleaved(make([]byte, size), img.Columns, img.Rows, img.Samples, img.BitsAllocated, img.BitsAllocated, img.Signed)
}

// TestCorpus decodes every RLE file of the corpus to the samples that its manifest has a hash of.
func TestCorpus(t *testing.T) {
	dir := testkit.Corpus(t)
	exact, refused := 0, 0
	dec, enc := rle.NewDecoder(), rle.NewEncoder()
	for _, row := range testkit.CorpusFiles(t, dir) {
		if row["ts_uid"] != rleSyntax || row["bits_allocated"] == "1" {
			continue
		}
		t.Run(row["path"], func(t *testing.T) {
			f, data := scan(t, filepath.Join(dir, row["path"]))
			if f.Image.BitsAllocated == 32 {
				v := codecs.Interleaved(make([]byte, f.Image.Rows*f.Image.Columns*f.Image.Samples*2), f.Image.Columns, f.Image.Rows, f.Image.Samples, 16, 16, false)
				var unsupported *codecs.UnsupportedError
				if err := dec.Decode(v, frames(t, f, data)[0], codecs.DecodeOptions{}); !errors.As(err, &unsupported) {
					t.Errorf("32-bit words into 16-bit ones: got %v, want *codecs.UnsupportedError", err)
				}
				refused++
				return
			}
			if row["pixel_sha256"] == "" { // malformed/
				var broken *codecs.MalformedError
				if err := dec.Decode(whole(f.Image), frames(t, f, data)[0], codecs.DecodeOptions{}); !errors.As(err, &broken) {
					t.Errorf("a broken frame: got %v, want *codecs.MalformedError", err)
				}
				refused++
				return
			}
			sum := sha256.New()
			for i, src := range frames(t, f, data) {
				v := whole(f.Image)
				if err := dec.Decode(v, src, codecs.DecodeOptions{}); err != nil {
					t.Fatalf("frame %d: Decode: %v", i, err)
				}
				sum.Write(v.Pix)
				again, _, err := enc.Encode(nil, v, codecs.EncodeOptions{})
				if err != nil {
					t.Fatalf("frame %d: Encode: %v", i, err)
				}
				if err := codecs.Verify(dec, v, again, codecs.DecodeOptions{}); err != nil {
					t.Errorf("frame %d: Verify: %v", i, err)
				}
				if old := len(bytes.Join(src, nil)); len(again) > old+old/50 {
					t.Errorf("frame %d: encodes to %d bytes, its source has %d", i, len(again), old)
				}
			}
			if got := hex.EncodeToString(sum.Sum(nil)); got != row["pixel_sha256"] {
				t.Errorf("samples have SHA-256 %s, want %s", got, row["pixel_sha256"])
			}
			exact++
		})
	}
	if exact < 13 || refused < 6 {
		t.Errorf("decoded %d files and refused %d that are broken or of 32 bits: the corpus should give 13 and 6 or more", exact, refused)
	}
}

// natives are files of the corpus with native pixel data that dcmcrle is to encode.
var natives = []string{
	"families/sc-rgb/SC_rgb_small_odd.dcm",
	"families/mr-small/MR_small.dcm",
	"families/emri-small/emri_small.dcm",
	"annotated/gsps/ovly_p01.dcm",
}

// TestDecodesDCMTK decodes what dcmcrle encodes.
func TestDecodesDCMTK(t *testing.T) {
	dir, tool := testkit.Corpus(t), testkit.Tool(t, "dcmcrle")
	for _, path := range natives {
		out := filepath.Join(t.TempDir(), "rle.dcm")
		if msg, err := exec.Command(tool, filepath.Join(dir, path), out).CombinedOutput(); err != nil {
			t.Errorf("%s: dcmcrle: %v: %s", path, err, msg)
			continue
		}
		native, raw := scan(t, filepath.Join(dir, path))
		f, data := scan(t, out)
		size := int(native.FrameSize())
		dec, enc := rle.NewDecoder(), rle.NewEncoder()
		for i, src := range frames(t, f, data) {
			want, err := native.View(raw[int(native.Pixel.ValueOffset)+i*size:][:size])
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			want.Bits = want.Container
			if err := dec.Compare(want, src, codecs.DecodeOptions{}); err != nil {
				t.Errorf("%s, frame %d: Compare with what dcmcrle made: %v", path, i, err)
			}
			got, _, err := enc.Encode(nil, want, codecs.EncodeOptions{})
			if theirs := len(bytes.Join(src, nil)); err != nil || len(got) > theirs {
				t.Errorf("%s, frame %d: Encode: %d bytes, error %v; dcmcrle needs %d", path, i, len(got), err, theirs)
			}
		}
	}
}

// TestDCMTKDecodes has dcmdrle decode our frames: they replace those of an
// RLE file, whose only fragment is rewritten in place.
func TestDCMTKDecodes(t *testing.T) {
	dir, tool := testkit.Corpus(t), testkit.Tool(t, "dcmdrle")
	for _, path := range []string{"families/mr-small/MR_small_RLE.dcm", "families/sc-rgb/SC_rgb_rle.dcm", "families/sc-rgb/SC_rgb_rle_16bit.dcm", "families/obxxxx1a/OBXXXX1A_rle.dcm", "syntaxes/rle/weasis__ybrFull-RLE.dcm"} {
		f, data := scan(t, filepath.Join(dir, path))
		v := whole(f.Image)
		if err := rle.NewDecoder().Decode(v, frames(t, f, data)[0], codecs.DecodeOptions{}); err != nil {
			t.Errorf("%s: Decode: %v", path, err)
			continue
		}
		ours, _, err := rle.NewEncoder().Encode(nil, v, codecs.EncodeOptions{})
		if err != nil {
			t.Errorf("%s: Encode: %v", path, err)
			continue
		}
		old := f.Pixel.Fragments[0]
		length := []byte{byte(len(ours)), byte(len(ours) >> 8), byte(len(ours) >> 16), byte(len(ours) >> 24)}
		file := bytes.Join([][]byte{data[:old.ValueOffset-4], length, ours, data[old.ValueOffset+old.Length:]}, nil)
		in, out := filepath.Join(t.TempDir(), "ours.dcm"), filepath.Join(t.TempDir(), "native.dcm")
		if err := os.WriteFile(in, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if msg, err := exec.Command(tool, "+te", in, out).CombinedOutput(); err != nil {
			t.Errorf("%s: dcmdrle: %v: %s", path, err, msg)
			continue
		}
		g, native := scan(t, out)
		if g.Syntax != explicitLE {
			t.Fatalf("%s: dcmdrle wrote %s", path, g.Syntax)
		}
		got, err := g.View(native[g.Pixel.ValueOffset:g.Pixel.End])
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got.Bits = got.Container
		if err := rle.NewDecoder().Compare(got, [][]byte{ours}, codecs.DecodeOptions{}); err != nil {
			t.Errorf("%s: dcmdrle decodes our frame to other samples: %v", path, err)
		}
	}
}
