package crop

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
)

// source is a file to crop, with its frames.
type source struct {
	name string
	data dcm.Bytes
	f    *dcm.File
}

func scan(data []byte) (*source, error) {
	f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
	if err != nil {
		return nil, err
	}
	return &source{"", data, f}, nil
}

// frame decodes a frame.
func (s *source) frame(i int) (codecs.View, error) {
	pix := []byte(s.data)
	if in := s.f.Inflated(); in != nil {
		pix = in
	}
	ranges := s.f.FrameRanges(i)
	if !s.f.Pixel.Encapsulated {
		if len(ranges) != 1 {
			return codecs.View{}, fmt.Errorf("no frame %d", i)
		}
		return s.f.View(pix[ranges[0].ValueOffset:][:ranges[0].Length])
	}
	known, ok := all.Set().Lookup(s.f.Syntax)
	if !ok || known.NewDecoder == nil {
		return codecs.View{}, errNoDecoder
	}
	img := s.f.Image
	if int64(img.Rows)*int64(img.Columns)*int64(img.Samples) > 1<<26 {
		return codecs.View{}, errNoDecoder
	}
	v := codecs.Interleaved(make([]byte, img.Rows*img.Columns*img.Samples*img.BitsAllocated/8), img.Columns, img.Rows, img.Samples, img.BitsAllocated, img.BitsStored, img.Signed)
	var src [][]byte
	for _, r := range ranges {
		src = append(src, pix[r.ValueOffset:r.ValueOffset+r.Length])
	}
	return v, known.NewDecoder().Decode(v, src, codecs.DecodeOptions{})
}

var errNoDecoder = errors.New("no decoder here")

// spec is a complete Spec.
func (s *source) spec(r Rect, frames ...int) Spec {
	sum := sha256.Sum256(s.data)
	return Spec{Rect: r, Frames: frames, File: hex.EncodeToString(sum[:]), Rules: "1", Created: time.Date(2026, 3, 1, 12, 30, 5, 0, time.UTC), Number: 3, Build: "RADTIER_TEST"}
}

// derive makes a derived instance and checks it.
func (s *source) derive(spec Spec) ([]byte, Made, error) {
	var out bytes.Buffer
	made, err := Make(&out, s.data, s.f, spec, s.frame)
	if err != nil {
		return nil, made, err
	}
	if made.Bytes != int64(out.Len()) {
		return nil, made, fmt.Errorf("%d bytes written, Made says %d", out.Len(), made.Bytes)
	}
	return out.Bytes(), made, Check(s.data, s.f, dcm.Bytes(out.Bytes()), int64(out.Len()), spec, s.frame)
}

// corpusSources calls visit for each image of the corpus that is not broken on purpose.
func corpusSources(t *testing.T, visit func(s *source)) {
	dir := testkit.Corpus(t)
	for _, row := range testkit.CorpusFiles(t, dir) {
		path := row["path"]
		if strings.HasPrefix(path, "malformed/") || strings.HasPrefix(path, "codestreams/") || strings.HasPrefix(path, "large/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		s, err := scan(data)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if s.name = path; s.f.Image != nil {
			visit(s)
		}
	}
}

// rects are rectangles that every image can be tried with: corners, centre, one pixel, all of it.
func rects(w, h int) []Rect {
	a, b := max(1, w/3), max(1, h/4)
	return []Rect{{0, 0, a, b}, {w - a, h - b, a, b}, {(w - a) / 2, (h - b) / 2, a, b}, {w / 2, h / 2, 1, 1}, {0, 0, w, h}}
}
