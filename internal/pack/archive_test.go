package pack

import (
	"archive/zip"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

func TestZipToolsAcceptVolumesAndBundles(t *testing.T) {
	s := newSample(t, 130, plainKit)
	bundle, _ := bundleOf(t, s)
	for name, p := range map[string][]byte{"volume": s.bytes, "bundle": bundle} {
		file := filepath.Join(t.TempDir(), name+".zip")
		if err := os.WriteFile(file, p, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name+" unzip", func(t *testing.T) {
			if out, err := exec.Command(testkit.Tool(t, "unzip"), "-tq", file).CombinedOutput(); err != nil || !strings.Contains(string(out), "No errors detected") {
				t.Errorf("unzip -t: %v\n%s", err, out)
			}
		})
		t.Run(name+" python3", func(t *testing.T) {
			if out, err := exec.Command(testkit.Tool(t, "python3"), "-m", "zipfile", "-t", file).CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "Done testing" {
				t.Errorf("python3 -m zipfile -t: %v\n%s", err, out)
			}
		})
		t.Run(name+" archive/zip", func(t *testing.T) {
			z, err := zip.NewReader(bytes.NewReader(p), int64(len(p)))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range z.File {
				if f.Method != zip.Store || f.Flags != 0 || len(f.Comment) > 0 || f.ModifiedDate != dosDate || f.ModifiedTime != 0 {
					t.Errorf("%s: method %d, flags %#x, date %#x %#x", f.Name, f.Method, f.Flags, f.ModifiedDate, f.ModifiedTime)
				}
				for _, c := range []byte(f.Name) {
					if c < ' ' || c > '~' {
						t.Errorf("name %q is not ASCII", f.Name)
					}
				}
				r, err := f.Open()
				if err == nil {
					_, err = io.Copy(io.Discard, r)
				}
				if err != nil {
					t.Errorf("%s: %v", f.Name, err)
				}
			}
		})
	}
}

// sparse writes to a file and leaves zeros out, so that archives of gigabytes cost nothing.
type sparse struct {
	file  *os.File
	off   int64
	zeros []byte
}

func (s *sparse) Write(p []byte) (int, error) {
	if &p[0] != &s.zeros[0] {
		if _, err := s.file.WriteAt(p, s.off); err != nil {
			return 0, err
		}
	}
	s.off += int64(len(p))
	return len(p), nil
}

// zip64Archive writes entries of the given sizes, all zeros, and a short last one that says hello.
func zip64Archive(t *testing.T, sizes ...int64) (path string, last int64) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "large.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zeros := make([]byte, 16<<20)
	a := newArchive(&sparse{file: f, zeros: zeros})
	a.sum = crc32.NewIEEE() // faster than SHA-256, which has nothing to do with what is tested
	for i, n := range sizes {
		crc := crc32.NewIEEE()
		for left := n; left > 0; left -= int64(len(zeros)) {
			crc.Write(zeros[:min(left, int64(len(zeros)))])
		}
		a.begin(valueName(i, 0, CodingBytes), n, crc.Sum32())
		for left := n; left > 0; left -= int64(len(zeros)) {
			a.write(zeros[:min(left, int64(len(zeros)))])
		}
	}
	last = a.size
	a.add("last", []byte("hello"))
	sum, err := a.close()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(sum.Size); err != nil {
		t.Fatal(err)
	}
	return f.Name(), last
}

func TestZip64(t *testing.T) {
	if testing.Short() {
		t.Skipf("%s: reads 8 GiB of zeros; run without -short", t.Name())
	}
	sizes := []int64{1<<32 + 5, 1000} // the first entry needs zip64 for its size, the second for its offset
	path, last := zip64Archive(t, sizes...)
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for i, n := range sizes {
		if got := z.File[i].UncompressedSize64; got != uint64(n) {
			t.Errorf("archive/zip: entry %d has %d bytes, want %d", i, got, n)
		}
	}
	if at, err := z.File[2].DataOffset(); err != nil || at != last+localBytes+4 {
		t.Errorf("archive/zip: last entry at %d (%v), want %d", at, err, last+localBytes+4)
	}
	t.Run("python3", func(t *testing.T) {
		out, err := exec.Command(testkit.Tool(t, "python3"), "-c", "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); print([i.file_size for i in z.infolist()], z.read('last'))", path).Output()
		if want := "[4294967301, 1000, 5] b'hello'\n"; err != nil || string(out) != want {
			t.Errorf("got %q (%v), want %q", out, err, want)
		}
	})
	t.Run("unzip", func(t *testing.T) {
		out, err := exec.Command(testkit.Tool(t, "unzip"), "-p", path, "i000001v000000.bin", "last").CombinedOutput()
		if want := string(make([]byte, 1000)) + "hello"; err != nil || string(out) != want {
			t.Errorf("got %q (%v), want %q", out, err, want)
		}
	})
}

// The records at the border between 32 and 64 bits.
func TestZip64OnlyWhereNeeded(t *testing.T) {
	for _, c := range []struct {
		what         string
		record       []byte
		want         int
		zip64Version bool
	}{
		{"local, 4 GiB - 2", appendLocal(nil, "n", most32-1, 0), 31, false},
		{"local, 4 GiB - 1", appendLocal(nil, "n", most32, 0), 51, true},
		{"central, both small", appendCentral(nil, "n", most32-1, 0, most32-1), 47, false},
		{"central, offset", appendCentral(nil, "n", 1, 0, most32), 47 + 12, true},
		{"central, size", appendCentral(nil, "n", most32, 0, 1), 47 + 20, true},
		{"central, both", appendCentral(nil, "n", most32, 0, most32), 47 + 28, true},
		{"end, small", appendEnd(nil, most16-1, most32-1, most32-1), 22, false},
		{"end, entries", appendEnd(nil, most16, 1, 1), 98, false},
		{"end, offset", appendEnd(nil, 1, most32, 1), 98, false},
		{"end, size", appendEnd(nil, 1, 1, most32), 98, false},
	} {
		if len(c.record) != c.want {
			t.Errorf("%s: %d bytes, want %d", c.what, len(c.record), c.want)
		}
		if is := c.record[4] == version45; is != c.zip64Version {
			t.Errorf("%s: version needed %d", c.what, c.record[4])
		}
	}
}

// More entries than 16 bits count need the zip64 end record too.
func TestManyEntries(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, "1.2.3", "test")
	w.Begin()
	const n = most16 - 2 // with the block and the index: 65535
	inst := Instance{SOPUID: "1.2.3.4", Exact: true}
	for range n {
		f, err := w.AddFrame(FrameData{Data: []byte("x"), Coding: CodingBytes, RawSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		inst.Segments = append(inst.Segments, Segment{Kind: SegmentFrame, Length: 1, Ref: f})
		inst.FileSize++
	}
	if err := w.End(inst, nil); err != nil {
		t.Fatal(err)
	}
	entries := w.Entries()
	x, sum, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if entries != most16 {
		t.Errorf("Entries() = %d before Close, want %d", entries, most16)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), sum.Size)
	if err != nil || len(z.File) != most16 {
		t.Fatalf("archive/zip: %v", err)
	}
	v, err := OpenVolume(t.Context(), Bytes(out.Bytes()), sum.Size)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), nil, VerifyOptions{Decode: true}); err != nil || len(x.Entries) != n {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "many.zip")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(testkit.Tool(t, "unzip"), "-tq", file).CombinedOutput(); err != nil {
		t.Errorf("unzip -t: %v\n%s", err, out)
	}
}

// Sizes said before Close are never far below what the volume becomes, or callers would pass their limit.
func TestSizeIsNotTooSmall(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, "1.2.3", "test")
	img := &Image{Rows: 8, Columns: 8, Frames: 1, Samples: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
	for i := range 500 {
		store(t, w, instanceOf(1, i, img), i, 1, func(int) ([]byte, FrameData) {
			p := random(uint64(i), 64)
			return p, FrameData{Data: p, Coding: CodingBytes}
		})
	}
	about := w.Size()
	_, sum, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if about < sum.Size || about > 2*sum.Size {
		t.Errorf("Size() = %d before Close, the volume has %d bytes", about, sum.Size)
	}
}

func TestLargeEntriesOfAVolumeAreStreamed(t *testing.T) {
	var got counter
	w := NewWriter(&got, "1.2.3", "test")
	frame := make([]byte, 3<<20)
	w.Begin()
	inst := Instance{SOPUID: "1.2.3.4", Exact: true}
	for range 20 { // over three stretches
		f, err := w.AddFrame(FrameData{Data: frame, Coding: CodingBytes, RawSize: int64(len(frame))})
		if err != nil {
			t.Fatal(err)
		}
		inst.Segments = append(inst.Segments, Segment{Kind: SegmentFrame, Length: int64(len(frame)), Ref: f})
		inst.FileSize += int64(len(frame))
	}
	if err := w.End(inst, nil); err != nil {
		t.Fatal(err)
	}
	x, sum, err := w.Close()
	if err != nil || int64(got) != sum.Size {
		t.Fatalf("%d bytes written, summary says %d (%v)", got, sum.Size, err)
	}
	if len(x.Digests) != int((x.dataEnd()+DigestBytes-1)/DigestBytes) {
		t.Errorf("%d digests of %d bytes", len(x.Digests), x.dataEnd())
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func TestZstdIsBounded(t *testing.T) {
	src := bytes.Repeat([]byte("abc"), 1000)
	packed := CompressZstd([]byte("kept"), src)
	if string(packed[:4]) != "kept" {
		t.Fatal("CompressZstd does not append")
	}
	packed = packed[4:]
	got, err := DecompressZstd([]byte("kept"), packed, 3000)
	if err != nil || !bytes.Equal(got, append([]byte("kept"), src...)) {
		t.Errorf("DecompressZstd: %d bytes, %v", len(got), err)
	}
	var limit *LimitError
	if _, err := DecompressZstd(nil, packed, 2999); !errors.As(err, &limit) || limit.Need != 3000 || limit.Most != 2999 {
		t.Errorf("one byte more than allowed: %v", err)
	}
	if got, err := DecompressZstd(nil, CompressZstd(nil, nil), 0); err != nil || len(got) != 0 {
		t.Errorf("empty content: %x, %v", got, err)
	}
	var bad *MalformedError
	for name, p := range map[string][]byte{
		"empty": nil, "no zstd": []byte("hello, this is text"), "cut": packed[:len(packed)-5], "two frames": append(bytes.Clone(packed), packed...),
		"no content size": {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x19, 0x00, 0x00, 'a', 'b', 'c'},
	} {
		if _, err := DecompressZstd(nil, p, 1<<20); !errors.As(err, &bad) {
			t.Errorf("%s: got %v, want *MalformedError", name, err)
		}
	}
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-1] ^= 1
	if _, err := DecompressZstd(nil, flipped, 1<<20); !errors.As(err, &bad) {
		t.Errorf("checksum: got %v, want *MalformedError", err)
	}
}
