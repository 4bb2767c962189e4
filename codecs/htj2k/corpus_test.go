package htj2k

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
)

// framesOf finds the frames of encapsulated pixel data in a DICOM file, each with its fragments.
func framesOf(t *testing.T, file []byte) [][][]byte {
	t.Helper()
	f, err := dcm.Scan(dcm.Bytes(file), int64(len(file)), dcm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Pixel == nil {
		return nil
	}
	var frames [][][]byte
	for _, between := range f.Pixel.Frames {
		var frame [][]byte
		for _, x := range f.Pixel.Fragments[between[0]:between[1]] {
			frame = append(frame, file[x.ValueOffset:x.ValueOffset+x.Length])
		}
		frames = append(frames, frame)
	}
	return frames
}

func number(f testkit.CorpusFile, column string) int {
	n, _ := strconv.Atoi(f[column])
	return n
}

// viewOf is an empty frame with the geometry of a file of the corpus.
func viewOf(f testkit.CorpusFile, pix []byte) codecs.View {
	return codecs.Interleaved(pix, number(f, "cols"), number(f, "rows"), number(f, "samples"), number(f, "bits_allocated"), number(f, "bits_stored"), f["pixel_rep"] == "1")
}

// assertTyped fails unless an error is of one of the kinds that a hostile input may cause.
func assertTyped(t *testing.T, err error) {
	t.Helper()
	var malformed *codecs.MalformedError
	var unsupported *codecs.UnsupportedError
	var limit *codecs.LimitError
	if !errors.As(err, &malformed) && !errors.As(err, &unsupported) && !errors.As(err, &limit) {
		t.Fatalf("got untyped error %v", err)
	}
}

// TestDecodeCorpus: every lossless HTJ2K file of the corpus gives the samples that its peers agree on.
func TestDecodeCorpus(t *testing.T) {
	dir := testkit.Corpus(t)
	decoders := []*Decoder{NewDecoder(), newDecoder(true)}
	hashed := 0
	for _, f := range testkit.CorpusFiles(t, dir) {
		uid := f["ts_uid"]
		if uid != "1.2.840.10008.1.2.4.201" && uid != "1.2.840.10008.1.2.4.202" && uid != "1.2.840.10008.1.2.4.203" {
			continue
		}
		t.Run(f["path"], func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join(dir, f["path"]))
			if err != nil {
				t.Fatal(err)
			}
			size := number(f, "rows") * number(f, "cols") * number(f, "samples") * number(f, "bits_allocated") / 8
			frames := framesOf(t, file)
			for _, d := range decoders {
				sum := sha256.New()
				for _, src := range frames {
					v := viewOf(f, make([]byte, size))
					err := d.Decode(v, src, codecs.DecodeOptions{})
					if err != nil {
						t.Fatal(err)
					}
					if err := d.Compare(v, src, codecs.DecodeOptions{}); err != nil {
						t.Error(err)
					}
					sum.Write(v.Pix)
				}
				if f["pixel_sha256"] == "" || len(frames) == 0 {
					t.Skip("lossy, or without codestream")
				}
				hashed++
				if got := hex.EncodeToString(sum.Sum(nil)); got != f["pixel_sha256"] {
					t.Errorf("samples of %d frames: got SHA-256 %s, want %s", len(frames), got, f["pixel_sha256"])
				}
			}
		})
	}
	if hashed < 8*len(decoders) {
		t.Errorf("%d times a file with known samples was decoded, want %d or more", hashed, 8*len(decoders))
	}
}

// nativeFrames are the uncompressed single-frame images of the corpus of at
// least some size whose pixel data end the file, by modality, at most a few of each.
func nativeFrames(t testing.TB, most, least int) map[string][]codecs.View {
	dir := testkit.Corpus(t)
	found := map[string][]codecs.View{}
	for _, f := range testkit.CorpusFiles(t, dir) {
		size := number(f, "rows") * number(f, "cols") * number(f, "samples") * number(f, "bits_allocated") / 8
		kind := f["modality"]
		if f["samples"] == "3" {
			kind += "-RGB"
		}
		if (f["bits_allocated"] != "8" && f["bits_allocated"] != "16") || f["frames"] != "1" || size < least || len(found[kind]) >= most ||
			(f["ts_uid"] != "1.2.840.10008.1.2" && f["ts_uid"] != "1.2.840.10008.1.2.1") || f["photometric"] == "YBR_FULL_422" || f["planar"] == "1" {
			continue
		}
		file, err := os.ReadFile(filepath.Join(dir, f["path"]))
		if err != nil {
			t.Fatal(err)
		}
		if len(file) < size {
			continue
		}
		pix := file[len(file)-size:]
		if sum := sha256.Sum256(pix); hex.EncodeToString(sum[:]) == f["pixel_sha256"] {
			found[kind] = append(found[kind], viewOf(f, pix))
		}
	}
	return found
}

// What a series of an archive holds comes back exactly, by both paths.
func TestRoundTripCorpus(t *testing.T) {
	encoders := []*Encoder{NewEncoder(Options{}), NewEncoder(Options{Plain: true})}
	decoders := []*Decoder{NewDecoder(), newDecoder(true)}
	for kind, views := range nativeFrames(t, 1000, 0) {
		for _, v := range views {
			var first []byte
			for _, e := range encoders {
				data, _, err := e.Encode(nil, v, codecs.EncodeOptions{RGB: v.Components == 3})
				if err != nil {
					t.Fatalf("%s %s: %v", kind, describe(&v), err)
				}
				if first == nil {
					first = data
				} else if !bytes.Equal(first, data) {
					t.Errorf("%s %s: kernels and plain code give other bytes", kind, describe(&v))
				}
			}
			for _, d := range decoders {
				if err := codecs.Verify(d, v, first, codecs.DecodeOptions{}); err != nil {
					t.Errorf("%s %s: %v", kind, describe(&v), err)
				}
			}
		}
	}
}
