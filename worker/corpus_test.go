package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit"
)

// TestCorpusSeries is the main job on three real series: every received file comes back, byte for byte.
func TestCorpusSeries(t *testing.T) {
	dir := filepath.Join(testkit.Corpus(t), "series")
	r := newRig(t, nil)
	want := filesIn(t, dir)
	got := 0
	for _, s := range r.ingest("a", dir) {
		verifyAll(t, s)
		for sum, in := range originals(t, s) {
			if want[sum] == "" {
				t.Errorf("%s: stored file %x was never received", in.SOPUID, sum)
			}
			if in.Reason != "" || !in.Exact {
				t.Errorf("%s: kept as received (%s), exact %v; want encoded and exact", in.SOPUID, in.Reason, in.Exact)
			}
			got++
		}
		m := s.Manifest
		if _, ok := s.Thumb("study"); !ok {
			t.Error("study has no thumbnail")
		}
		t.Logf("%s: %d instances, %d -> %d bytes (%.2f), hot bundle %d bytes", m.StudyUID, m.Totals.Instances, m.Totals.RawBytes, m.Totals.StoredBytes,
			float64(m.Totals.RawBytes)/float64(m.Totals.StoredBytes), m.Hot.Size)
	}
	if got != 410 {
		t.Errorf("%d instances came back, want 410", got)
	}
}

// TestWholeCorpus sends everything there is, broken files too: each file is
// stored, quarantined or skipped as no instance; what is stored comes back,
// in Explicit VR Little Endian with the samples that the manifest of the corpus says.
func TestWholeCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("TestWholeCorpus: takes a minute; run without -short")
	}
	t.Run("held in memory", func(t *testing.T) { wholeCorpus(t, 0, HTJ2K) })
	t.Run("streamed", func(t *testing.T) { wholeCorpus(t, 1, HTJ2K) })
	t.Run("JPEG-LS", func(t *testing.T) { wholeCorpus(t, 0, JPEGLS) })
}

func wholeCorpus(t *testing.T, wholeFile int64, codec Codec) {
	corpus := testkit.Corpus(t)
	r := newRig(t, func(o *PipelineOptions) { o.WholeFile, o.Codecs = wholeFile, CodecRules{{Use: codec}} })
	rows := map[string]testkit.CorpusFile{}
	for _, row := range testkit.CorpusFiles(t, corpus) {
		rows[row["sha256"]] = row
	}
	stored, exact, checked, encoded := map[[32]byte]bool{}, 0, 0, 0
	reasons := map[string]int{}
	for _, s := range r.ingest("a", corpus) {
		dec := s.NewDecoders()
		for sum, in := range originals(t, s) {
			stored[sum] = true
			reasons[in.Reason]++
			if in.Exact {
				exact++
			}
			row := rows[fmt.Sprintf("%x", sum)]
			if row == nil {
				t.Errorf("%s: not in the corpus's manifest", in.SOPUID)
				continue
			}
			if row["pixel_sha256"] == "" {
				continue
			}
			if in.NativeSHA256 != ([32]byte{}) && fmt.Sprintf("%x", in.NativeSHA256) != row["pixel_sha256"] {
				t.Errorf("%s: native digest in the index differs from the corpus's", row["path"])
			}
			var buf bytes.Buffer
			if err := s.WriteExplicitLE(context.Background(), dec, in, &buf); err != nil {
				if in.Reason == "" {
					t.Errorf("%s: explicit LE: %v", row["path"], err)
				}
				continue
			}
			f, err := dcm.Scan(dcm.Bytes(buf.Bytes()), int64(buf.Len()), dcm.Limits{})
			if err != nil {
				t.Errorf("%s: explicit LE cannot be scanned: %v", row["path"], err)
				continue
			}
			src, err := os.ReadFile(filepath.Join(corpus, row["path"]))
			if err != nil {
				t.Fatal(err)
			}
			fs, err := dcm.Scan(dcm.Bytes(src), int64(len(src)), dcm.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if err := dcm.CompareDatasets(dcm.Bytes(src), fs, dcm.Bytes(buf.Bytes()), f); err != nil {
				t.Errorf("%s: data set changed: %v", row["path"], err)
			}
			if got, ok := nativeDigest(buf.Bytes(), f); ok && got != row["pixel_sha256"] {
				t.Errorf("%s: samples as explicit LE have digest %s, the corpus says %s", row["path"], got, row["pixel_sha256"])
			}
			checked++
			if in.Reason == "" && in.Stored == codec.Syntax() {
				checkStored(t, s, dec, in, src, fs, row)
				encoded++
			}
		}
	}
	quarantined := map[string]string{}
	if err := r.db.QuarantineList(context.Background(), "a", func(q catalog.QuarantineEntry) error {
		quarantined[q.SHA256] = q.Reason
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for sum, path := range filesIn(t, corpus) {
		if !stored[sum] {
			row := rows[fmt.Sprintf("%x", sum)]
			switch {
			case row == nil || row["pixel_sha256"] == "" || row["ts_uid"] == "": // not DICOM, or no pixels to lose
			case quarantined[fmt.Sprintf("%x", sum)] == "":
				t.Errorf("%s has pixels and is neither stored nor quarantined", path)
			default:
				t.Logf("quarantined: %s: %s", row["path"], quarantined[fmt.Sprintf("%x", sum)])
			}
		}
	}
	for reason, n := range reasons {
		t.Logf("%4d x %s", n, reason)
	}
	t.Logf("%d files stored, %d byte-exact, %d compared as explicit LE, %d as stored", len(stored), exact, checked, encoded)
	if encoded < 100 {
		t.Errorf("%d instances are stored as %s, want most of those with native samples", encoded, codec)
	}
}

// nativeDigest hashes native samples as the corpus does: little endian words, planar 0, no pad byte. ok is false for layouts it does not do.
func nativeDigest(file []byte, f *dcm.File) (string, bool) {
	img, px := f.Image, f.Pixel
	if px == nil || px.Encapsulated || f.Encoding.BigEndian {
		return "", false
	}
	n := f.FrameBits() * int64(img.Frames)
	if n == 0 {
		return "", false
	}
	native := file[px.ValueOffset : px.ValueOffset+(n+7)/8]
	if img.Samples > 1 && img.Planar == 1 {
		word, plane := img.BitsAllocated/8, img.Rows*img.Columns*img.BitsAllocated/8
		var out []byte
		for frame := native; len(frame) > 0; frame = frame[plane*img.Samples:] {
			for at := 0; at < plane; at += word {
				for c := range img.Samples {
					out = append(out, frame[c*plane+at:c*plane+at+word]...)
				}
			}
		}
		native = out
	}
	return fmt.Sprintf("%x", sha256.Sum256(native)), true
}

// checkStored writes an instance as it is stored and compares it with its source: elements, and samples after decoding.
func checkStored(t *testing.T, s *study.Study, dec *pack.Decoders, in study.Instance, src []byte, fs *dcm.File, row testkit.CorpusFile) {
	t.Helper()
	ctx := context.Background()
	var buf bytes.Buffer
	if err := s.WriteStored(ctx, dec, in, &buf); err != nil {
		t.Errorf("%s: stored form: %v", row["path"], err)
		return
	}
	f, err := dcm.Scan(dcm.Bytes(buf.Bytes()), int64(buf.Len()), dcm.Limits{})
	if err != nil {
		t.Errorf("%s: stored form cannot be scanned: %v", row["path"], err)
		return
	}
	if f.Syntax != in.Stored || !f.Pixel.Encapsulated || len(f.Pixel.Frames) != len(in.Frames) {
		t.Errorf("%s: stored form has syntax %s and %d frames, want %s and %d", row["path"], f.Syntax, len(f.Pixel.Frames), in.Stored, len(in.Frames))
		return
	}
	if err := dcm.CompareDatasets(dcm.Bytes(src), fs, dcm.Bytes(buf.Bytes()), f); err != nil {
		t.Errorf("%s: stored form: data set changed: %v", row["path"], err)
	}
	if want := map[bool]string{true: "YBR_RCT", false: fs.Image.Photometric}[in.Stored == syntaxHTJ2K && fs.Image.Photometric == "RGB"]; f.Image.Photometric != want || f.Image.Samples > 1 && f.Image.Planar != 0 {
		t.Errorf("%s: stored form is %s, planar configuration %d, want %s and 0", row["path"], f.Image.Photometric, f.Image.Planar, want)
	}
	known, _ := all.Set().Lookup(in.Stored)
	decoder := known.NewDecoder()
	sum := sha256.New()
	for i := range f.Pixel.Frames {
		pix, err := study.DecodeFragments(ctx, decoder, dcm.Bytes(buf.Bytes()), f, i, make([]byte, in.Image.FrameBytes()))
		if err != nil {
			t.Errorf("%s: stored form: frame %d: %v", row["path"], i, err)
			return
		}
		sum.Write(pix)
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != fmt.Sprintf("%x", in.SampleSHA256) {
		t.Errorf("%s: stored form decodes to samples %s, the index says %x", row["path"], got, in.SampleSHA256)
	}
}

// TestDicomModuleTestdata sends the files that come with the DICOM library this project uses.
func TestDicomModuleTestdata(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/suyashkumar/dicom").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "testdata")
	if err != nil || strings.TrimSpace(string(out)) == "" {
		t.Skipf("%s: the module's source is not here: go mod download github.com/suyashkumar/dicom", t.Name())
	}
	r := newRig(t, nil)
	want, got := filesIn(t, dir), 0
	for _, s := range r.ingest("a", dir) {
		verifyAll(t, s)
		for sum, in := range originals(t, s) {
			if want[sum] == "" {
				t.Errorf("%s: stored file was never received", in.SOPUID)
			}
			got++
			if in.Reason == "" && !in.Exact && in.Syntax != syntaxRLE {
				t.Errorf("%s of syntax %s is not exact", in.SOPUID, in.Syntax)
			}
		}
	}
	if got == 0 {
		t.Error("no instance was stored")
	}
	t.Logf("%d of %d files stored", got, len(want))
}
