package pack

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/htj2k"
	"github.com/radtier/radtier/codecs/jpegls"
	"github.com/radtier/radtier/codecs/rle"
	"github.com/radtier/radtier/internal/testkit"
)

func realSet() *codecs.Set {
	return codecs.NewSet(
		codecs.Syntax{UID: CodingJPEGLS.Syntax(), NewDecoder: func() codecs.Decoder { return jpegls.NewDecoder() }},
		codecs.Syntax{UID: CodingHTJ2K.Syntax(), NewDecoder: func() codecs.Decoder { return htj2k.NewDecoder() }},
		codecs.Syntax{UID: CodingRLE.Syntax(), NewDecoder: func() codecs.Decoder { return rle.NewDecoder() }})
}

func realKit(t testing.TB, c Coding, enc codecs.Encoder) kit {
	return kit{c, realSet(), func(v codecs.View) []byte {
		p, _, err := enc.Encode(nil, v, codecs.EncodeOptions{RGB: v.Components == 3 && c == CodingHTJ2K})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}}
}

var realKits = map[string]func(t testing.TB) kit{
	"htj2k": func(t testing.TB) kit {
		testkit.Tool(t, "opj_decompress")
		return realKit(t, CodingHTJ2K, htj2k.NewEncoder(htj2k.Options{}))
	},
	"rle":               func(t testing.TB) kit { return realKit(t, CodingRLE, rle.NewEncoder()) },
	"jpegls by default": func(t testing.TB) kit { return realKit(t, CodingJPEGLS, jpegls.NewEncoder(jpegls.Options{})) },
	"jpegls by plane":   func(t testing.TB) kit { return jpeglsKit(t, jpegls.InterleaveNone) },
	"jpegls by line":    func(t testing.TB) kit { return jpeglsKit(t, jpegls.InterleaveLine) },
	"jpegls by sample":  func(t testing.TB) kit { return jpeglsKit(t, jpegls.InterleaveSample) },
}

func jpeglsKit(t testing.TB, i jpegls.Interleave) kit {
	return realKit(t, CodingJPEGLS, jpegls.NewEncoder(jpegls.Options{Interleave: i}))
}

// script returns python3 and the path of unpack.py, or skips the test.
func script(t *testing.T) (python, path string) {
	python = testkit.Tool(t, "python3")
	if _, err := exec.LookPath("zstd"); err != nil && exec.Command(python, "-c", "import zstandard").Run() != nil && exec.Command(python, "-c", "import compression.zstd").Run() != nil {
		t.Skipf("%s: python3 has no zstd: install the program zstd (Debian package zstd)", t.Name())
	}
	path, err := filepath.Abs("../../scripts/unpack.py")
	if err != nil {
		t.Fatal(err)
	}
	return python, path
}

// unpack runs the script on a volume and returns what it restored, by SOP Instance UID, and what it printed.
func unpack(t *testing.T, python, path string, volume []byte) (files map[string][]byte, printed string, err error) {
	t.Helper()
	dir := t.TempDir()
	in := filepath.Join(dir, "pack.zip")
	if err := os.WriteFile(in, volume, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, path, in, "-o", filepath.Join(dir, "out")).CombinedOutput()
	files = map[string][]byte{}
	found, globErr := filepath.Glob(filepath.Join(dir, "out", "*", "*"))
	if globErr != nil {
		t.Fatal(globErr)
	}
	for _, f := range found {
		p, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(f), ".dcm")] = p
	}
	return files, string(out), err
}

// The script gets the volume without its central directory and nothing else.
func TestUnpackScriptRestoresTheReceivedFiles(t *testing.T) {
	python, path := script(t)
	for name, make := range realKits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSample(t, 3, make(t))
			v := NewVolume(s.index, Bytes(s.bytes), nil)
			if _, err := v.Verify(t.Context(), NewDecoders(realSet()), VerifyOptions{Decode: true}); err != nil {
				t.Fatal(err)
			}
			end := s.index.dataEnd() + int64(bytes.Index(s.bytes[s.index.dataEnd():], []byte("PK\x01\x02")))
			files, printed, err := unpack(t, python, path, s.bytes[:end])
			if err != nil {
				t.Fatalf("unpack.py: %v\n%s", err, printed)
			}
			if len(files) != len(s.files) {
				t.Errorf("%d files, want %d", len(files), len(s.files))
			}
			for _, f := range s.files {
				if !bytes.Equal(files[f.name], f.file) {
					t.Errorf("instance %s: got %d bytes, want %d", f.name, len(files[f.name]), len(f.file))
				}
			}
		})
	}
}

// smooth is an image with runs and edges, so that every mode of JPEG-LS occurs.
func smooth(width, height, bits int) []byte {
	p := make([]byte, 0, 2*width*height)
	noise := random(5, width*height)
	for y := range height {
		for x := range width {
			v := 0
			if dx, dy := x-width/2, y-height/2; dx*dx+dy*dy < width*height/8 {
				v = (x*x+y*3)&(1<<bits-1)/2 + int(noise[y*width+x]&7)
			}
			p = append(p, byte(v), byte(v>>8))
		}
	}
	return p
}

func TestUnpackScriptOnRunsAndEdges(t *testing.T) {
	python, path := script(t)
	for _, name := range []string{"jpegls by plane", "htj2k"} {
		t.Run(name, func(t *testing.T) { unpackRunsAndEdges(t, python, path, realKits[name](t)) })
	}
}

func unpackRunsAndEdges(t *testing.T, python, path string, k kit) {
	var out bytes.Buffer
	w := NewWriter(&out, "1.2.3", "test")
	want := map[string][]byte{}
	for n, bits := range []int{2, 5, 8, 12, 16, -8, -12, -16} { // negative: signed
		img := &Image{Rows: 60, Columns: 71, Frames: 1, Samples: 1, BitsAllocated: 16, BitsStored: max(bits, -bits), HighBit: max(bits, -bits) - 1, Signed: bits < 0, Photometric: "MONOCHROME2"}
		bits := img.BitsStored
		r := store(t, w, instanceOf(1, n, img), n, 1, func(int) ([]byte, FrameData) {
			raw := smooth(71, 60, bits)
			for i := 0; i < len(raw); i += 2 {
				v := (int(raw[i]) | int(raw[i+1])<<8) & (1<<bits - 1)
				raw[i], raw[i+1] = byte(v), byte(v>>8)
			}
			return raw, FrameData{Coding: k.coding, Data: k.encode(FrameView(img, raw, img.Signed))}
		})
		want[r.name] = r.file
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, printed, err := unpack(t, python, path, out.Bytes())
	if err != nil {
		t.Fatalf("unpack.py: %v\n%s", err, printed)
	}
	for name, file := range want {
		if !bytes.Equal(files[name], file) {
			t.Errorf("instance %s differs", name)
		}
	}
}

func TestUnpackScriptReportsDamage(t *testing.T) {
	python, path := script(t)
	s := newSample(t, 3, jpeglsKit(t, jpegls.InterleaveNone))
	s.bytes[s.index.Entries[1].Offset+5] ^= 4
	files, printed, err := unpack(t, python, path, s.bytes)
	if err == nil || !strings.Contains(printed, "not restored: instance "+s.files[1].name) {
		t.Errorf("got %v and %q", err, printed)
	}
	for i, f := range s.files {
		if (i == 1) == bytes.Equal(files[f.name], f.file) {
			t.Errorf("instance %d: restored %t", i, i != 1)
		}
	}
}
