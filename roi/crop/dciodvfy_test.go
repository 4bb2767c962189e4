package crop

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
)

// verdict runs a program of dicom3tools and returns its errors and warnings, each once, without values.
func verdict(t *testing.T, tool string, args ...string) []string {
	t.Helper()
	out, err := exec.Command(tool, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var list []string
	for _, line := range strings.Split(string(out), "\n") {
		if line = valueOf.ReplaceAllString(strings.TrimSpace(line), "<>"); strings.HasPrefix(line, "Error") || strings.HasPrefix(line, "Warning") {
			list = append(list, line)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// valueOf are parts of a message that differ from file to file.
var valueOf = regexp.MustCompile(`<-?[0-9.]+>|= <[^>]*>$|\[[0-9]+\]|- "[0-9.]+" in .*$| for file <.*$`)

// outdated are messages of dciodvfy that the current standard does not share:
// PS3.3 C.8.13.4 and C.8.13.8 allow these attributes in derived images too.
var outdated = regexp.MustCompile(`^Error - Attribute present when condition unsatisfied .* Module=<(MRPulseSequence|BulkMotionSynchronization)>$`)

// fresh are the messages of b that a has not.
func fresh(a, b []string) (out []string) {
	for _, line := range b {
		if !slices.Contains(a, line) && !outdated.MatchString(line) {
			out = append(out, line)
		}
	}
	return out
}

// native is the source with native pixel data: dicom3tools do not read deflated data sets and HTJ2K.
func (s *source) native() ([]byte, error) {
	if !s.f.Pixel.Encapsulated && !s.f.Encoding.Deflated {
		return s.data, nil
	}
	target := dcm.Target{Syntax: "1.2.840.10008.1.2.1", Planar0: s.f.Image.Samples > 1, Frame: func(i int, w io.Writer) error {
		v, err := s.frame(i)
		if err != nil {
			return err
		}
		for y := range v.Height {
			if _, err := w.Write(appendRow(nil, &v, Rect{0, 0, v.Width, v.Height}, y)); err != nil {
				return err
			}
		}
		return nil
	}}
	if s.f.Image.Photometric == "YBR_RCT" {
		target.Photometric = "RGB"
	}
	var out bytes.Buffer
	err := dcm.Rewrite(&out, s.data, s.f, target)
	return out.Bytes(), err
}

// TestDciodvfy: an independent program finds nothing wrong with crops that it did not find with their sources.
func TestDciodvfy(t *testing.T) {
	tool := testkit.Tool(t, "dciodvfy")
	dir := t.TempDir()
	series := map[string]int{}
	n := 0
	corpusSources(t, func(s *source) {
		if series[s.f.SeriesUID]++; series[s.f.SeriesUID] > 2 {
			return
		}
		var some []int
		if n := s.f.Image.Frames; n > 2 && classes[strings.TrimPrefix(s.f.ClassUID, storage)].subset {
			some = []int{2, n}
		}
		data, _, err := s.derive(s.spec(rects(s.f.Image.Columns, s.f.Image.Rows)[2], some...))
		if err != nil {
			return // TestCorpus looks at it
		}
		n++
		twin, err := s.native()
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			return
		}
		a, b := filepath.Join(dir, "source.dcm"), filepath.Join(dir, "crop.dcm")
		if err := errors.Join(os.WriteFile(a, twin, 0o600), os.WriteFile(b, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		for _, line := range fresh(verdict(t, tool, a), verdict(t, tool, b)) {
			t.Errorf("%s: new: %s", s.name, line)
		}
	})
	if n < 50 {
		t.Errorf("%d crops were looked at, want 50 at least", n)
	}
}

// TestDcentvfy: sources and their crops agree about patient, study, series and frame of reference.
func TestDcentvfy(t *testing.T) {
	tool := testkit.Tool(t, "dcentvfy")
	dir := t.TempDir()
	studies := map[string][2][]string{} // files: sources, and with their crops
	seen := map[string]bool{}
	corpusSources(t, func(s *source) {
		files := studies[s.f.StudyUID]
		if seen[s.f.SOPUID] || len(files[0]) > 30 { // the corpus has conversions of one instance
			return
		}
		seen[s.f.SOPUID] = true
		data, made, err := s.derive(s.spec(rects(s.f.Image.Columns, s.f.Image.Rows)[2]))
		if err != nil {
			return
		}
		twin, err := s.native()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		a, b := filepath.Join(dir, s.spec(Rect{}).File), filepath.Join(dir, made.FileSHA256)
		if err := errors.Join(os.WriteFile(a, twin, 0o600), os.WriteFile(b, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		files[0], files[1] = append(files[0], a), append(files[1], a, b)
		studies[s.f.StudyUID] = files
	})
	if len(studies) < 30 {
		t.Errorf("%d studies, want 30 at least", len(studies))
	}
	for study, files := range studies {
		for _, line := range fresh(verdict(t, tool, files[0]...), verdict(t, tool, files[1]...)) {
			t.Errorf("study %s: new: %s", study, line)
		}
	}
}

// TestDcposn: a program of others finds the first sample of a crop where it finds that sample in the source.
func TestDcposn(t *testing.T) {
	tool := filepath.Join(filepath.Dir(testkit.Tool(t, "dciodvfy")), "dcposn") // of the same package
	dir := t.TempDir()
	place := func(file string, x, y int) []float64 {
		out, err := exec.Command(tool, "-x", strconv.Itoa(x), "-y", strconv.Itoa(y), file).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) { // it complains of much, and prints the place all the same
			t.Fatal(err)
		}
		var list []float64
		for _, s := range number.FindAllStringSubmatch(string(out), -1) {
			v, err := strconv.ParseFloat(s[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, v)
		}
		return list
	}
	n := 0
	series := map[string]bool{}
	look := func(s *source) {
		if s.f.Image.Frames > 1 || !classes[strings.TrimPrefix(s.f.ClassUID, storage)].positioned || series[s.f.SeriesUID] {
			return
		}
		r := rects(s.f.Image.Columns, s.f.Image.Rows)[1]
		data, _, err := s.derive(s.spec(r))
		if err != nil {
			return
		}
		series[s.f.SeriesUID] = true
		twin, err := s.native()
		if err != nil {
			t.Fatal(err)
		}
		a, b := filepath.Join(dir, "source.dcm"), filepath.Join(dir, "crop.dcm")
		if err := errors.Join(os.WriteFile(a, twin, 0o600), os.WriteFile(b, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		got, want := place(b, 0, 0), place(a, r.X, r.Y)
		if len(want) != 3 || len(got) != 3 {
			t.Errorf("%s: got %v, want %v", s.name, got, want)
			return
		}
		n++
		for i := range want {
			if math.Abs(got[i]-want[i]) > 0.11 { // it prints one digit behind the point
				t.Errorf("%s: got %v, want %v", s.name, got, want)
				return
			}
		}
	}
	s := build(t, slice(), explicitLE)
	s.name = "oblique, not square"
	look(s)
	corpusSources(t, look)
	if n < 10 {
		t.Errorf("%d series were looked at, want 10 at least", n)
	}
}

var number = regexp.MustCompile(`[XYZ]=(-?[0-9.]+)`)
