package crop

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
)

// TestCorpus crops every image of the corpus, and proves what comes of it; or
// there is a reason why not. Making it again gives the same bytes.
func TestCorpus(t *testing.T) {
	counts, refused := map[string]int{}, map[string]int{}
	series := map[string]int{}
	corpusSources(t, func(s *source) {
		if series[s.f.SeriesUID]++; series[s.f.SeriesUID] > 8 {
			return
		}
		for _, r := range rects(s.f.Image.Columns, s.f.Image.Rows) {
			spec := s.spec(r)
			data, _, err := s.derive(spec)
			var no *UnsupportedError
			var codec *codecs.UnsupportedError
			var view *dcm.UnsupportedError
			switch {
			case errors.As(err, &no), errors.Is(err, errNoDecoder), errors.As(err, &codec), errors.As(err, &view):
				refused[err.Error()]++
				return
			case err != nil:
				t.Errorf("%s, %+v: %v", s.name, r, err)
				return
			}
			again, _, err := s.derive(spec)
			if err != nil || !bytes.Equal(data, again) {
				t.Errorf("%s, %+v: other bytes the second time, %v", s.name, r, err)
			}
			counts[s.f.ClassUID]++
			counts[s.f.Syntax]++
			counts[s.f.Image.Photometric]++
			if s.f.Image.Signed {
				counts["signed"]++
			}
			if s.f.OverlayInPixels() {
				counts["overlay in pixels"]++
			}
			if s.f.Find(0x60003000) != nil {
				counts["overlay"]++
			}
			if s.f.Find(tagRegions) != nil {
				counts["ultrasound regions"]++
			}
		}
	})
	for what, n := range refused {
		t.Logf("refused %d times: %s", n, what)
	}
	for trait, n := range counts {
		t.Logf("%s: %d crops", trait, n)
	}
	for _, trait := range []string{
		storage + "1", storage + "2", storage + "2.1", storage + "2.2", storage + "3.1", storage + "4", storage + "4.1", storage + "6.1", storage + "7", storage + "20", storage + "128",
		explicitLE, implicitLE, explicitBE, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.5",
		"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "signed", "overlay", "overlay in pixels", "ultrasound regions",
	} {
		if counts[trait] == 0 {
			t.Errorf("no crop of %s", trait)
		}
	}
}

// TestMalformed: files that are broken on purpose give typed errors, or crops that are right all the same.
func TestMalformed(t *testing.T) {
	dir := testkit.Corpus(t)
	tried := 0
	for _, row := range testkit.CorpusFiles(t, dir) {
		if !strings.HasPrefix(row["path"], "malformed/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, row["path"]))
		if err != nil {
			t.Fatal(err)
		}
		s, err := scan(data)
		if err != nil || s.f.Image == nil {
			continue
		}
		tried++
		r := Rect{0, 0, 1, 1}
		if s.f.Image.Columns > 2 && s.f.Image.Rows > 2 {
			r = Rect{1, 1, s.f.Image.Columns - 2, s.f.Image.Rows - 2}
		}
		_, _, err = s.derive(s.spec(r))
		var malformed *codecs.MalformedError
		var codec *codecs.UnsupportedError
		var limit *codecs.LimitError
		if err != nil && !typed(err) && !errors.Is(err, errNoDecoder) && !errors.As(err, &malformed) && !errors.As(err, &codec) && !errors.As(err, &limit) {
			t.Errorf("%s: %T: %v", row["path"], err, err)
		}
	}
	if tried < 20 {
		t.Errorf("%d files were tried, want 20 at least", tried)
	}
}
