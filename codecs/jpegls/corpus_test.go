package jpegls

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/testkit"
)

// fragments finds the items of encapsulated pixel data in a DICOM file, without the offset table.
func fragments(file []byte) [][]byte {
	tag := []byte{0xE0, 0x7F, 0x10, 0x00, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}
	at := bytes.LastIndex(file, tag)
	if at < 0 {
		return nil
	}
	var items [][]byte
	for rest := file[at+len(tag):]; len(rest) >= 8 && binary.LittleEndian.Uint32(rest) == 0xE000FFFE; {
		n := int(binary.LittleEndian.Uint32(rest[4:]))
		if n > len(rest)-8 {
			break
		}
		items = append(items, rest[8:8+n])
		rest = rest[8+n:]
	}
	if len(items) == 0 {
		return nil
	}
	return items[1:]
}

// byFrame splits fragments into frames at those that begin a codestream.
func byFrame(items [][]byte) [][][]byte {
	var frames [][][]byte
	for _, f := range items {
		if len(frames) == 0 || len(f) > 1 && f[0] == 0xFF && f[1] == markerSOI {
			frames = append(frames, nil)
		}
		frames[len(frames)-1] = append(frames[len(frames)-1], f)
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

func TestDecodeCorpus(t *testing.T) {
	dir := testkit.Corpus(t)
	d := NewDecoder()
	hashed := 0
	for _, f := range testkit.CorpusFiles(t, dir) {
		if uid := f["ts_uid"]; uid != "1.2.840.10008.1.2.4.80" && uid != "1.2.840.10008.1.2.4.81" {
			continue
		}
		t.Run(f["path"], func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join(dir, f["path"]))
			if err != nil {
				t.Fatal(err)
			}
			size := number(f, "rows") * number(f, "cols") * number(f, "samples") * number(f, "bits_allocated") / 8
			frames := byFrame(fragments(file))
			sum := sha256.New()
			for _, src := range frames {
				v := viewOf(f, make([]byte, size))
				if info, err := d.Probe(src); err == nil && info.Bits < v.Container {
					v.Signed = false // the peers that gave the hashes do not extend the sign
				}
				err := d.Decode(v, src, codecs.DecodeOptions{})
				if f["pixel_sha256"] == "" {
					if err != nil {
						assertTyped(t, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Compare(v, src, codecs.DecodeOptions{}); err != nil {
					t.Error(err)
				}
				sum.Write(v.Pix)
			}
			if f["pixel_sha256"] == "" || len(frames) == 0 {
				t.Skip("no codestream, or none that another decoder could be trusted with")
			}
			hashed++
			if got := hex.EncodeToString(sum.Sum(nil)); got != f["pixel_sha256"] {
				t.Errorf("samples of %d frames: got SHA-256 %s, want %s", len(frames), got, f["pixel_sha256"])
			}
		})
	}
	if hashed < 30 {
		t.Errorf("got %d files with known samples, want 30 or more", hashed)
	}
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

// What a series of an archive holds comes back exactly.
func TestRoundTripCorpus(t *testing.T) {
	e := NewEncoder(Options{})
	decoders := decoderPaths()
	for kind, views := range nativeFrames(t, 3, 0) {
		for _, v := range views {
			data, _, err := e.Encode(nil, v, codecs.EncodeOptions{})
			if err != nil {
				t.Fatalf("%s %s: %v", kind, describe(&v), err)
			}
			for _, d := range decoders {
				if err := codecs.Verify(d, v, data, codecs.DecodeOptions{}); err != nil {
					t.Errorf("%s %s: %v", kind, describe(&v), err)
				}
			}
		}
	}
}
