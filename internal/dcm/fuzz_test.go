package dcm

import (
	"bytes"
	"cmp"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/testkit"
)

// exercise does everything that can be done with an input. It reports broken promises; panics are the test's own.
func exercise(t *testing.T, data []byte, lim Limits) {
	f, err := Scan(Bytes(data), int64(len(data)), lim)
	silent(t, err)
	if err != nil {
		if outcome(err) == "other" {
			t.Errorf("untyped error %v for %.300q", err, data)
		}
		return
	}
	at := int64(0)
	for _, p := range f.Pieces(1 << 10) {
		if p.Offset != at || p.Length <= 0 {
			t.Fatalf("piece %+v after %d bytes, input %.300q", p, at, data)
		}
		at += p.Length
	}
	if at != f.Size {
		t.Fatalf("pieces cover %d bytes of %d, input %.300q", at, f.Size, data)
	}
	f.Order()
	f.IsDICOMDIR()
	if f.Image != nil {
		for i := range min(f.Image.Frames+1, 100) {
			for _, r := range f.FrameRanges(i) {
				if r.ValueOffset < f.Pixel.ValueOffset || r.ValueOffset+r.Length > f.Pixel.End || r.Length < 0 {
					t.Errorf("frame %d at %+v, outside the pixel data, input %.300q", i, r, data)
				}
			}
		}
		n := f.FrameSize()
		if n > 0 && n <= int64(len(data)) {
			if v, err := f.View(make([]byte, n)); err == nil {
				if err := v.Check("fuzz"); err != nil {
					t.Errorf("view: %v, input %.300q", err, data)
				}
			}
		}
	}
	d, err := ReadDataset(Bytes(data), f, lim)
	silent(t, err)
	if err == nil {
		visit(d, 0)
	} else if outcome(err) == "other" {
		t.Errorf("ReadDataset: untyped error %v", err)
	}
	if err := CompareDatasets(Bytes(data), f, Bytes(data), f); err != nil && outcome(err) == "other" {
		t.Errorf("a data set differs from itself: %v, input %.2000q", err, data)
	}
	target := Target{Syntax: explicitLE, Encapsulated: f.Pixel != nil && f.Pixel.Encapsulated}
	var out bytes.Buffer
	if err := Rewrite(&out, Bytes(data), f, target); err != nil {
		silent(t, err)
		if outcome(err) == "other" {
			t.Errorf("Rewrite: untyped error %v", err)
		}
		return
	}
	g, err := Scan(Bytes(out.Bytes()), int64(out.Len()), lim)
	if err != nil {
		if outcome(err) != "limit" {
			t.Errorf("rewritten input does not scan: %v, input %.2000q", err, data)
		}
		return
	}
	if err := CompareDatasets(Bytes(data), f, Bytes(out.Bytes()), g); err != nil && outcome(err) == "other" {
		t.Errorf("rewritten input: %v, input %.2000q", err, data)
	}
}

// silent checks that an error does not tell values: those of the seeds all hold one of these words.
func silent(t *testing.T, err error) {
	if err == nil {
		return
	}
	for _, word := range []string{"HOSPITAL", "RADTIER TEST", "ORIGINAL", "meaning"} {
		if strings.Contains(err.Error(), word) {
			t.Errorf("error tells a value: %v", err)
		}
	}
}

func visit(d *Dataset, depth int) {
	for _, tag := range d.Tags() {
		d.Strings(tag)
		d.Ints(tag)
		d.Floats(tag)
		if depth < 4 {
			for i, item := range d.Items(tag) {
				if i < 8 {
					visit(item, depth+1)
				}
			}
		}
	}
}

// fuzzLimits keep one input from taking long.
var fuzzLimits = Limits{MaxInflate: 1 << 20, MaxElements: 10_000, MaxNested: 100_000, MaxHeaderBytes: 1 << 20}

func seeds(t testing.TB) [][]byte {
	list := [][]byte{
		build(t, image(1), explicitLE), build(t, image(2), implicitLE), build(t, image(1), explicitBE), build(t, image(1), deflatedLE),
		build(t, image(2).Encapsulated([]uint32{0, 12}, []byte{0xFF, 0xD8, 0xFF, 1}, []byte{0xFF, 0xD8, 0xFF, 2}), "1.2.840.10008.1.2.4.80"),
	}
	return list
}

// smallCorpus returns the corpus files of at most limit bytes, none if there is no corpus.
func smallCorpus(t testing.TB, limit int64) (list [][]byte) {
	dir := testkit.Corpus(t)
	for _, row := range testkit.CorpusFiles(t, dir) {
		name := filepath.Join(dir, row["path"])
		if strings.HasPrefix(row["path"], "codestreams/") || strings.HasPrefix(row["path"], "series/") {
			continue
		}
		if st, err := os.Stat(name); err != nil || st.Size() > limit {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

// mutate changes a few bytes where it hurts: lengths, tags, VRs, the end.
func mutate(rng *rand.Rand, data []byte) []byte {
	p := bytes.Clone(data)
	for range 1 + rng.IntN(4) {
		if len(p) < 16 {
			return p
		}
		at := rng.IntN(len(p) - 8)
		switch rng.IntN(8) {
		case 0:
			p = p[:at+4]
		case 1:
			p[at] ^= 1 << rng.IntN(8)
		case 2:
			copy(p[at:], "\xff\xff\xff\xff")
		case 3:
			copy(p[at:], "\xfe\xff\x00\xe0")
		case 4:
			copy(p[at:], "\xfe\xff\xdd\xe0\x00\x00\x00\x00")
		case 5:
			copy(p[at:], []string{"SQ", "UN", "OB", "UI", "US", "??"}[rng.IntN(6)])
		case 6:
			n := rng.IntN(min(64, len(p)-at))
			p = append(p[:at:at], p[at+n:]...)
		case 7:
			n := rng.IntN(min(64, len(p)-at))
			p = append(p[:at+n:at+n], p[at:]...)
		}
	}
	return p
}

// mutantCount is 4,000, or what RADTIER_MUTANTS says for a longer hunt.
func mutantCount(t *testing.T) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("RADTIER_MUTANTS"), "4000"))
	if err != nil {
		t.Fatalf("RADTIER_MUTANTS: %v", err)
	}
	return n
}

func TestMutants(t *testing.T) {
	mutants(t, seeds(t), mutantCount(t))
}

func TestMutantsOfCorpus(t *testing.T) {
	mutants(t, smallCorpus(t, 10<<10), mutantCount(t))
}

func mutants(t *testing.T, from [][]byte, n int) {
	rng := rand.New(rand.NewPCG(1, 2))
	start := time.Now()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		exercise(t, mutate(rng, from[i%len(from)]), fuzzLimits)
		if t.Failed() {
			t.Fatalf("mutant %d", i)
		}
	}
	runtime.ReadMemStats(&after)
	t.Logf("%d mutants in %v, %d KiB allocated for each", n, time.Since(start).Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>10/uint64(n))
}

// No file of malformed/ takes more memory than a small multiple of its size, or more than a moment.
func TestMalformedCorpusIsCheap(t *testing.T) {
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		if !isMalformed(row["path"]) {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		exercise(t, data, Limits{})
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(4<<20+12*len(data)); got > most {
			t.Errorf("%s: %d bytes allocated for a file of %d, want at most %d", row["path"], got, len(data), most)
		}
		if took > 2*time.Second {
			t.Errorf("%s: took %v", row["path"], took)
		}
	})
}

// Every truncation of a file is refused or read without what is missing, never with an untyped error.
func TestTruncations(t *testing.T) {
	for _, data := range seeds(t) {
		whole := mustScan(t, data)
		for n := range len(data) {
			f, err := Scan(Bytes(data[:n]), int64(n), Limits{})
			if outcome(err) == "other" {
				t.Fatalf("cut to %d bytes: %v", n, err)
			}
			if err == nil && f.Pixel != nil && !f.Unterminated && f.Inflated() == nil {
				t.Fatalf("%s cut to %d of %d bytes: pixel data read as if whole", whole.Syntax, n, len(data))
			}
			if _, again := Scan(bytes.NewReader(data), int64(n), Limits{}); outcome(again) != outcome(err) {
				t.Fatalf("cut to %d bytes: %v from memory, %v through a reader", n, err, again)
			}
		}
	}
}

// A reader that fails is reported as such, not as a malformed file.
func TestReaderErrors(t *testing.T) {
	data := build(t, image(1), explicitLE)
	for n := 0; n < len(data); n += 7 {
		r := &failing{data: data, after: int64(n)}
		_, err := Scan(r, int64(len(data)), Limits{})
		if r.failed && outcome(err) != "other" {
			t.Fatalf("reader failing at %d: got %v, want its own error", n, err)
		}
	}
}

type failing struct {
	data   []byte
	after  int64
	failed bool
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.after {
		f.failed = true
		return 0, io.ErrClosedPipe
	}
	return copy(p, f.data[off:]), nil
}

func FuzzScan(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	if os.Getenv("RADTIER_CORPUS") != "" {
		for _, s := range smallCorpus(f, 4<<10) {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			t.Skip("larger than the inputs this target is for")
		}
		exercise(t, data, fuzzLimits)
	})
}
