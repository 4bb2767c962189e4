package crop

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
)

// maker makes one derived instance. v has the source's root values, whatever was changed in e.
type maker struct {
	r      io.ReaderAt
	f      *dcm.File
	spec   Spec
	class  class
	frames []int // kept, from 0
	e      *dcm.Edit
	v      *dcm.Dataset
	made   Made

	purpose *dcm.Builder // of references to the source
}

// Make writes the derived instance that spec says of the source that
// [dcm.Scan] found in r: a Part 10 file in Explicit VR Little Endian with
// native samples. frame gives the decoded samples of source frame i, from 0;
// it is called once for each kept frame, in order, and the view is used until the next call.
// Of r the headers are read, and pixel data only where File.OverlayInPixels says so.
//
// An *[UnsupportedError] says why the source is to be kept whole, a
// *[SpecError] that spec is wrong; errors of package dcm that the source is broken. Others are those of w, r and frame. After an error w may hold part of a file.
func Make(w io.Writer, r io.ReaderAt, f *dcm.File, spec Spec, frame func(i int) (codecs.View, error)) (Made, error) {
	m := &maker{r: r, f: f, spec: spec, purpose: code("121322", "Source image for image processing operation")}
	if err := m.begin(); err != nil {
		return Made{}, err
	}
	for _, step := range []func() error{
		m.identity, m.pixelDescription, m.rootGeometry, m.detectorGeometry, m.functionalGroups, m.frameAttributes,
		m.overlays, m.shutters, m.ultrasoundRegions, m.sources, m.remove,
	} {
		if err := step(); err != nil {
			return Made{}, err
		}
	}
	samples, file := sha256.New(), &counted{w: w, sum: sha256.New()}
	err := m.e.WriteFile(file, spec.Build, dcm.NativePixels{
		Length: int64(spec.Rect.W) * int64(spec.Rect.H) * int64(f.Image.Samples*f.Image.BitsAllocated/8) * int64(len(m.frames)),
		Write:  func(w io.Writer) error { return m.writeSamples(w, samples, frame) },
	})
	if err != nil {
		return Made{}, err
	}
	m.made.SampleSHA256, m.made.FileSHA256 = hex.EncodeToString(samples.Sum(nil)), hex.EncodeToString(file.sum.Sum(nil))
	m.made.Bytes, m.made.Frames = file.n, len(m.frames)
	return m.made, nil
}

// counted passes bytes on, and counts and digests them.
type counted struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.sum.Write(p[:n])
	return n, err
}

// begin checks that source and spec fit each other, and opens the source's data set.
func (m *maker) begin() (err error) {
	if err := m.spec.check(m.f); err != nil {
		return err
	}
	if m.class, err = classOf(m.f); err != nil {
		return err
	}
	if err := supported(m.f, m.class); err != nil {
		return err
	}
	if err := m.spec.fits(m.f); err != nil {
		return err
	}
	m.frames = m.spec.frames(m.f.Image.Frames)
	if m.spec.Frames != nil && len(m.frames) < m.f.Image.Frames && !m.class.subset {
		return unsupported(0x00280008, "some frames of a %s image", m.class.name)
	}
	if m.e, err = dcm.NewEdit(m.r, m.f); err != nil {
		return err
	}
	if m.v, err = m.e.Values(); err != nil {
		return err
	}
	for _, tag := range []uint32{0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103} {
		if m.v.Has(tag) && (m.v.VR(tag) != (dcm.VR{'U', 'S'}) || m.v.Length(tag) != 2) {
			return unsupported(tag, "a number of the image that is not written as one")
		}
	}
	if n := m.v.Ints(tagNumberOfFrames); m.v.Length(tagNumberOfFrames) > 0 && (len(n) != 1 || n[0] != m.f.Image.Frames) {
		return unsupported(tagNumberOfFrames, "a number of frames that is none") // Scan counts one frame then
	}
	if slices.Contains(m.v.Strings(tagImageType), "MOSAIC") {
		return unsupported(tagImageType, "a mosaic of slices")
	}
	return nil
}

// check looks at what does not depend on the image.
func (s *Spec) check(f *dcm.File) error {
	digest, err := hex.DecodeString(s.File)
	switch {
	case err != nil || len(digest) != sha256.Size:
		return specError("no SHA-256 of the source's file")
	case s.Rules == "" || strings.ContainsAny(s.Rules, `|\`) || !printable(s.Rules, 16):
		return specError("no version of rules of up to 16 characters")
	case s.Created.IsZero() || s.Created.Year() < 1 || s.Created.Year() > 9999:
		return specError("no time of creation")
	case s.Number < 0 || s.Number > 1_000_000:
		return specError("series number %d", s.Number)
	case s.Build == "" || strings.Contains(s.Build, `\`) || !printable(s.Build, 16):
		return specError("no build of up to 16 characters")
	}
	for _, u := range []struct {
		tag uint32
		uid string
	}{{0x00080016, f.ClassUID}, {tagSOP, f.SOPUID}, {tagSeries, f.SeriesUID}, {tagStudy, f.StudyUID}} {
		if !validUID(u.uid) {
			return unsupported(u.tag, "a UID that cannot be referred to")
		}
	}
	return nil
}

// fits looks at rectangle and frames.
func (s *Spec) fits(f *dcm.File) error {
	r, img := s.Rect, f.Image
	if r.X < 0 || r.Y < 0 || r.W < 1 || r.H < 1 || r.X >= img.Columns || r.Y >= img.Rows || r.W > img.Columns-r.X || r.H > img.Rows-r.Y {
		return specError("rectangle %d,%d of %d x %d in an image of %d x %d", r.X, r.Y, r.W, r.H, img.Columns, img.Rows)
	}
	if s.Frames != nil && len(s.Frames) == 0 {
		return specError("no frames")
	}
	for i, n := range s.Frames {
		if n < 1 || n > img.Frames || i > 0 && n <= s.Frames[i-1] {
			return specError("frame %d of %d; frames must rise", n, img.Frames)
		}
	}
	return nil
}

// frames are the kept ones, from 0.
func (s *Spec) frames(n int) []int {
	if s.Frames == nil {
		list := make([]int, n)
		for i := range list {
			list[i] = i
		}
		return list
	}
	list := make([]int, len(s.Frames))
	for i, k := range s.Frames {
		list[i] = k - 1
	}
	return list
}

// printable reports whether s has 1 to most printable ASCII characters.
func printable(s string, most int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= most
}
