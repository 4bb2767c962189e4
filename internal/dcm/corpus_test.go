package dcm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/testkit"
)

// eachFile runs fn on every file of the corpus that claims to be DICOM.
func eachFile(t *testing.T, fn func(t *testing.T, row testkit.CorpusFile, data []byte)) {
	dir := testkit.Corpus(t)
	for _, row := range testkit.CorpusFiles(t, dir) {
		if strings.HasPrefix(row["path"], "codestreams/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, row["path"]))
		if err != nil {
			t.Fatal(err)
		}
		fn(t, row, data)
	}
}

func isMalformed(path string) bool { return strings.HasPrefix(path, "malformed/") }

// outcome names the kind of an error for tables.
func outcome(err error) string {
	var m *MalformedError
	var u *UnsupportedError
	var l *LimitError
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrNotDICOM):
		return "not DICOM"
	case errors.As(err, &m):
		return "malformed"
	case errors.As(err, &u):
		return "unsupported"
	case errors.As(err, &l):
		return "limit"
	}
	return "other"
}

func TestScanAgainstManifest(t *testing.T) {
	n := 0
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		path := row["path"]
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil {
			if !isMalformed(path) {
				t.Errorf("%s: %v", path, err)
			}
			return
		}
		if isMalformed(path) {
			return
		}
		n++
		want := func(column string, got any) {
			w := row[column]
			g := ""
			switch v := got.(type) {
			case int:
				g = strconv.Itoa(v)
			case string:
				g = v
			}
			if w != "" && g != w {
				t.Errorf("%s: %s: got %s, want %s", path, column, g, w)
			}
		}
		want("ts_uid", f.Syntax)
		want("modality", f.Modality)
		// Three files of charsets/ describe an image that they do not have.
		if (f.Image != nil) != (row["bits_allocated"] != "") && !strings.HasPrefix(path, "charsets/") {
			t.Errorf("%s: pixel data found: %v, manifest has bits_allocated %q", path, f.Image != nil, row["bits_allocated"])
		}
		if img := f.Image; img != nil {
			want("rows", img.Rows)
			want("cols", img.Columns)
			want("frames", img.Frames)
			want("samples", img.Samples)
			want("bits_allocated", img.BitsAllocated)
			want("bits_stored", img.BitsStored)
			want("photometric", img.Photometric)
			want("planar", img.Planar)
			rep := 0
			if img.Signed {
				rep = 1
			}
			want("pixel_rep", rep)
			if f.Pixel.FrameProblem != "" {
				t.Errorf("%s: %s", path, f.Pixel.FrameProblem)
			}
		}
	})
	if n < 800 {
		t.Errorf("compared %d files, the corpus should give more than 800", n)
	}
}

// nativeSamples returns the samples of native pixel data in the form that
// pixel_sha256 of the manifest is of: little endian, planar 0, no pad.
func nativeSamples(t *testing.T, f *File, data []byte) []byte {
	if f.inflated != nil {
		data = f.inflated
	}
	px, img := f.Pixel, f.Image
	v := append([]byte(nil), data[px.ValueOffset:px.ValueOffset+px.Length]...)
	unit := img.BitsAllocated / 8
	if f.PixelBigEndian() {
		if unit < 2 && f.swapped8() {
			unit = 2
		}
		swap(v, unit)
	}
	bits := f.FrameBits() * int64(img.Frames)
	n := (bits + 7) / 8
	if n <= int64(len(v)) {
		v = v[:n]
	}
	if img.Samples == 3 && img.Planar == 1 && f.FrameSize() > 0 {
		out := make([]byte, 0, len(v))
		size, w := int(f.FrameSize()), img.BitsAllocated/8
		for i := range img.Frames {
			frame := v[i*size : (i+1)*size]
			plane := size / 3
			for p := 0; p < plane; p += w {
				for c := range 3 {
					out = append(out, frame[c*plane+p:c*plane+p+w]...)
				}
			}
		}
		v = out
	}
	return v
}

func sha(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func TestNativeSamplesAgainstManifest(t *testing.T) {
	n := 0
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		if row["pixel_sha256"] == "" {
			return
		}
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil || f.Pixel == nil || f.Pixel.Encapsulated {
			return
		}
		n++
		if got := sha(nativeSamples(t, f, data)); got != row["pixel_sha256"] {
			t.Errorf("%s: samples: got %s, want %s; %+v", row["path"], got[:12], row["pixel_sha256"][:12], *f.Image)
			return
		}
		// The views of all frames must show the same samples.
		var all []byte
		for i := range f.Image.Frames {
			src := data
			if f.inflated != nil {
				src = f.inflated
			}
			size := f.FrameSize()
			if size == 0 {
				return
			}
			v, err := f.View(src[f.Pixel.ValueOffset+int64(i)*size:][:size])
			if err != nil {
				return
			}
			if err := v.Check("test"); err != nil {
				t.Errorf("%s: %v", row["path"], err)
				return
			}
			all = appendView(all, v)
		}
		if got := sha(all); got != row["pixel_sha256"] {
			t.Errorf("%s: samples through View: got %s, want %s", row["path"], got[:12], row["pixel_sha256"][:12])
		}
	})
	if n < 600 {
		t.Errorf("compared %d files, the corpus should give more than 600", n)
	}
}

func appendView(dst []byte, v codecs.View) []byte {
	for y := range v.Height {
		for x := range v.Width {
			for c := range v.Components {
				p := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
				switch {
				case v.Container == 8:
					dst = append(dst, p[0])
				case v.BigEndian:
					dst = append(dst, p[1], p[0])
				default:
					dst = append(dst, p[0], p[1])
				}
			}
		}
	}
	return dst
}

func TestPiecesRebuildEveryFile(t *testing.T) {
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil {
			return
		}
		for _, bulk := range []int64{64 << 10, 100} {
			var out []byte
			for i, p := range f.Pieces(bulk) {
				if p.Offset != int64(len(out)) || p.Length <= 0 || p.Offset+p.Length > int64(len(data)) {
					t.Errorf("%s: piece %d is %+v after %d bytes of %d", row["path"], i, p, len(out), len(data))
					return
				}
				out = append(out, data[p.Offset:p.Offset+p.Length]...)
			}
			if string(out) != string(data) {
				t.Errorf("%s: pieces give %d bytes, want the %d of the file", row["path"], len(out), len(data))
			}
		}
	})
}

// holes is a file of which only some pieces are there: a read that starts in another fails, one that runs into it ends.
type holes struct {
	data   []byte
	pieces []Piece
}

func (h *holes) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for _, piece := range h.pieces {
		if end := piece.Offset + piece.Length; off >= end || n == len(p) {
			continue
		} else if piece.Kind != Header {
			break
		} else {
			k := copy(p[n:], h.data[off:end])
			n, off = n+k, off+int64(k)
		}
	}
	if n < len(p) {
		return n, errors.New("not there")
	}
	return n, nil
}

// The header pieces alone give the same File and the same values as the whole file.
func TestHeaderPiecesSuffice(t *testing.T) {
	n := 0
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil || f.Inflated() != nil || f.Pixel != nil && len(f.Pixel.Fragments) != f.Image.Frames && f.Image.Frames > 1 {
			return
		}
		n++
		lim := Limits{MaxValue: 64 << 10}
		h := &holes{data, f.Pieces(lim.MaxValue)}
		g, err := Scan(h, int64(len(data)), Limits{})
		if err != nil {
			t.Errorf("%s: %v", row["path"], err)
			return
		}
		if !reflect.DeepEqual(f, g) {
			t.Errorf("%s: scanned differently: got %+v, want %+v", row["path"], g, f)
		}
		want, err := ReadDataset(Bytes(data), f, lim)
		if err != nil {
			t.Errorf("%s: %v", row["path"], err)
			return
		}
		got, err := ReadDataset(h, g, lim)
		if err != nil {
			t.Errorf("%s: %v", row["path"], err)
			return
		}
		for i := range want.elements {
			if !bytes.Equal(got.elements[i].value, want.elements[i].value) {
				t.Errorf("%s: value of %s differs", row["path"], TagString(want.elements[i].Tag))
			}
		}
	})
	if n < 850 {
		t.Errorf("compared %d files, want more than 850", n)
	}
}

func TestDictionaryKnowsTheCorpus(t *testing.T) {
	// Tags that PS3.6 does not have either.
	strange := map[uint32]bool{0x00500065: true}
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil || isMalformed(row["path"]) {
			return
		}
		d, err := ReadDataset(Bytes(data), f, Limits{})
		if err != nil {
			t.Errorf("%s: %v", row["path"], err)
			return
		}
		var walk func(d *Dataset)
		walk = func(d *Dataset) {
			for _, tag := range d.Tags() {
				if tag>>16&1 == 0 && dictionaryVR(tag) == (VR{}) && !strange[tag] {
					t.Errorf("%s: the dictionary lacks %s", row["path"], TagString(tag))
				}
				items, err := d.Sequence(tag)
				if err != nil {
					t.Errorf("%s: %s: %v", row["path"], TagString(tag), err)
				}
				for _, item := range items {
					walk(item)
				}
			}
		}
		walk(d)
		if got, want := d.String(0x00080070), row["manufacturer"]; strings.TrimSpace(got) != want {
			t.Logf("%s: manufacturer: got %q, want %q", row["path"], got, want)
		}
	})
}

// What Scan refuses of malformed/, by the end of the name. Everything else there can be read, and is stored as it is.
var refused = map[string]string{
	"dcm4che__3gb-bulk-data-truncated":    "malformed",
	"TC0345_deflate_corrupt.dcm":          "malformed",
	"TC0347_deflate_truncated.dcm":        "malformed",
	"TC0383_no_dicm.dcm":                  "malformed",
	"TC0385_dicm_offset0.dcm":             "malformed",
	"TC0387_dicm_offset64.dcm":            "malformed",
	"TC0485_meta_0001_vr_0000.dcm":        "malformed",
	"TC0709_encap_frag_len_maxuint.dcm":   "malformed",
	"TC0719_encap_frag_len_64_data_1.dcm": "malformed",
	"TC0967_truncated_dataset_2bytes.dcm": "malformed",
	"TC0969_midvalue_truncation.dcm":      "malformed",
	"TC1143_oob_len_len_4GB.dcm":          "malformed",
	"TC1145_oob_len_len_1MB.dcm":          "malformed",
	"TC1151_odd_len_len3.dcm":             "malformed",
	"TC1155_odd_len_len255.dcm":           "malformed",
	"pydicom__MR_truncated.dcm":           "malformed",
	"pydicom__rtplan_truncated.dcm":       "malformed",
	"pydicom__no_meta.dcm":                "not DICOM", // its first byte was altered by a text conversion
}

func TestMalformedCorpus(t *testing.T) {
	found := 0
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		if !isMalformed(row["path"]) {
			return
		}
		want := "ok"
		for name, o := range refused {
			if strings.HasSuffix(row["path"], name) {
				want = o
				found++
			}
		}
		if _, err := Scan(Bytes(data), int64(len(data)), Limits{}); outcome(err) != want {
			t.Errorf("%s: got %v, want %s", row["path"], err, want)
		}
	})
	if found != len(refused) {
		t.Errorf("%d of the %d files that are refused are in the corpus", found, len(refused))
	}
}
