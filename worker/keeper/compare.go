package keeper

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/dicomweb"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
)

// differsError says that the archive has something else, and what.
type differsError struct{ what string }

func (e *differsError) Error() string { return e.what }

func differs(format string, args ...any) error { return &differsError{fmt.Sprintf(format, args...)} }

// comparison compares instances of one study, one after the other.
type comparison struct {
	*Keeper
	st            *study.Study
	dec           *pack.Decoders
	frames, files int      // compared so far
	remarks       []string // what is said otherwise there, and does not change the samples
}

// spare is what a file of the archive may be larger than ours, in bytes.
const spare = 64 << 20

// instance compares one instance: some of its frames if the archive gives them, else all of its file. A *differsError says what differs.
func (c *comparison) instance(ctx context.Context, in study.Instance, at dicomweb.Address, frames []int) error {
	byFrames := errors.New("its frames cannot be compared")
	if hasFrames(in) {
		if byFrames = c.pulled(ctx, in, at, frames); byFrames == nil || ctx.Err() != nil || dicomweb.IsTransient(byFrames) {
			return byFrames
		}
	}
	// What an archive makes for us may be wrong where its file is right: the file decides.
	err := c.file(ctx, in, at)
	var refused *dicomweb.StatusError
	var was *differsError
	if errors.As(err, &refused) && errors.As(byFrames, &was) {
		return byFrames
	}
	return err
}

// pulled compares some frames, which the archive gives as native words.
func (c *comparison) pulled(ctx context.Context, in study.Instance, at dicomweb.Address, frames []int) error {
	head, err := c.Client.Image(ctx, at)
	if err != nil {
		return err
	}
	img := &pack.Image{Rows: head.Rows, Columns: head.Columns, Frames: head.Frames, Samples: head.Samples, BitsAllocated: head.BitsAllocated, BitsStored: head.BitsStored,
		HighBit: head.HighBit, Signed: head.Signed, Planar: head.Planar, Photometric: head.Photometric}
	remark, err := sameLayout(in.Image, img)
	if err != nil {
		return err
	}
	size := img.FrameBytes()
	for _, n := range frames {
		data, err := c.Client.Frame(ctx, at, n+1, size+1) // and a pad byte
		if err != nil {
			return err
		}
		if int64(len(data)) == size+1 && size%2 == 1 {
			data = data[:size]
		}
		if int64(len(data)) != size {
			return differs("frame %d has %d bytes, its header says %d", n+1, len(data), size)
		}
		if !sameSamples(img, data, in.Frames[n].SampleSHA256) {
			return differs("the samples of frame %d differ", n+1)
		}
	}
	c.agree(len(frames), remark)
	return nil
}

func (c *comparison) agree(frames int, remark string) {
	c.frames += frames
	if remark != "" {
		c.remarks = append(c.remarks, remark)
	}
}

// sameSamples compares a frame by its samples. Archives that decode for us do not always say truly whether planes are apart: either will do.
func sameSamples(img *pack.Image, data []byte, want pack.Digest) bool {
	if pack.SampleDigest(img, data) == want {
		return true
	}
	if img.Samples == 1 {
		return false
	}
	other := *img
	other.Planar = !img.Planar
	return pack.SampleDigest(&other, data) == want
}

// sameLayout compares what two headers say of the frames. What makes no other image is a remark.
func sameLayout(ours, theirs *pack.Image) (remark string, err error) {
	switch a, b := ours, theirs; {
	case a.Rows != b.Rows || a.Columns != b.Columns:
		return "", differs("it has %d x %d pixels, here %d x %d", b.Columns, b.Rows, a.Columns, a.Rows)
	case a.Frames != b.Frames:
		return "", differs("it has %d frames, here %d", b.Frames, a.Frames)
	case a.Samples != b.Samples || colours(a.Photometric) != colours(b.Photometric):
		return "", differs("it is %+.16q with %d samples a pixel, here %+.16q with %d", b.Photometric, b.Samples, a.Photometric, a.Samples)
	case a.BitsAllocated != b.BitsAllocated:
		return "", differs("it has samples in words of %d bits, here of %d", b.BitsAllocated, a.BitsAllocated)
	case a.Signed != b.Signed:
		return "", differs("its samples are signed and ours are not, or the other way round")
	case a.HighBit-a.BitsStored != b.HighBit-b.BitsStored:
		return "", differs("its samples end at bit %d, ours at bit %d", b.HighBit-b.BitsStored+1, a.HighBit-a.BitsStored+1)
	case a.BitsStored != b.BitsStored:
		return fmt.Sprintf("%d bits stored there and %d here", b.BitsStored, a.BitsStored), nil
	case a.Photometric != b.Photometric:
		return fmt.Sprintf("%+.16q there and %+.16q here", b.Photometric, a.Photometric), nil
	}
	return "", nil
}

// colours is what decoded samples are: names that only say how an encoder transforms or shares them are the same.
func colours(photometric string) string {
	switch photometric {
	case "YBR_RCT", "YBR_ICT":
		return "RGB"
	case "YBR_FULL_422":
		return "YBR_FULL"
	}
	return photometric
}

// file compares the file that the archive keeps: the very file, or all its samples; of objects without frames all its elements.
func (c *comparison) file(ctx context.Context, in study.Instance, at dicomweb.Address) error {
	f, err := os.CreateTemp("", "radtier-keeper-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	most := in.FileSize + spare
	if in.Image != nil {
		most += 2 * in.Image.FrameBytes() * int64(max(1, in.Image.Frames))
	}
	err = c.Client.File(ctx, at, f, most)
	if errors.Is(err, dicomweb.ErrNotFound) {
		return differs("it is listed, and cannot be retrieved")
	}
	if err != nil {
		return err
	}
	c.files++
	sum := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	size, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	if pack.Digest(sum.Sum(nil)) == in.FileSHA256 {
		c.agree(len(in.Frames), "")
		return nil
	}
	theirs, err := dcm.Scan(f, size, dcm.Limits{})
	if err != nil {
		return differs("its file there cannot be read: %v", err)
	}
	if theirs.SOPUID != in.SOPUID {
		return differs("its file there is another instance")
	}
	if !hasFrames(in) {
		return c.elements(ctx, in, f, theirs)
	}
	return c.samples(ctx, in, f, theirs)
}

// samples compares all frames of a file.
func (c *comparison) samples(ctx context.Context, in study.Instance, r io.ReaderAt, f *dcm.File) error {
	if f.Pixel == nil {
		return differs("its file there has no frames")
	}
	if f.Pixel.FrameProblem != "" {
		return differs("the frames of its file there cannot be told apart")
	}
	img := &pack.Image{Rows: f.Image.Rows, Columns: f.Image.Columns, Frames: f.Image.Frames, Samples: f.Image.Samples, BitsAllocated: f.Image.BitsAllocated,
		BitsStored: f.Image.BitsStored, HighBit: f.Image.HighBit, Signed: f.Image.Signed, Planar: f.Image.Planar == 1, BigEndian: f.PixelBigEndian(), Photometric: f.Image.Photometric}
	remark, err := sameLayout(in.Image, img)
	if err != nil {
		return err
	}
	read := func(n int) ([]byte, error) { return nativeFrame(r, f, n) }
	if f.Pixel.Encapsulated {
		known, ok := c.Set.Lookup(f.Syntax)
		if !ok || known.NewDecoder == nil {
			return differs("its file there is in transfer syntax %+.64q, which is not decoded here", f.Syntax)
		}
		img.Planar, img.BigEndian = false, false
		dec, buf := known.NewDecoder(), make([]byte, img.FrameBytes())
		read = func(n int) ([]byte, error) { return study.DecodeFragments(ctx, dec, r, f, n, buf) }
	}
	for n := range in.Frames {
		data, err := read(n)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return differs("frame %d of its file there cannot be decoded", n+1)
		}
		if pack.SampleDigest(img, data) != in.Frames[n].SampleSHA256 {
			return differs("the samples of frame %d differ", n+1)
		}
	}
	c.agree(len(in.Frames), remark)
	return nil
}

// nativeFrame reads a frame that is not encoded.
func nativeFrame(r io.ReaderAt, f *dcm.File, n int) ([]byte, error) {
	ranges := f.FrameRanges(n)
	if len(ranges) != 1 {
		return nil, errors.New("it is not whole bytes")
	}
	if data := f.Inflated(); data != nil {
		r = dcm.Bytes(data)
	}
	data := make([]byte, ranges[0].Length)
	if got, err := r.ReadAt(data, ranges[0].ValueOffset); got < len(data) {
		return nil, err
	}
	return data, nil
}

// elements compares an object whose samples are not known here: element by element, and its pixel data as bytes.
func (c *comparison) elements(ctx context.Context, in study.Instance, r io.ReaderAt, theirs *dcm.File) error {
	own, size, err := c.st.Received(ctx, c.dec, in)
	if err != nil {
		return err
	}
	defer own.Close()
	ours, err := dcm.Scan(own, size, dcm.Limits{})
	if err != nil {
		return fmt.Errorf("instance %s as it was received: %w", shownUID(in.SOPUID), err)
	}
	if err := dcm.CompareDatasets(own, ours, r, theirs); err != nil {
		return differs("its elements differ")
	}
	if ours.Pixel == nil && theirs.Pixel == nil {
		return nil
	}
	a, err := pixelDigest(own, ours)
	if err != nil {
		return err
	}
	if b, err := pixelDigest(r, theirs); err != nil || a != b || ours.Syntax != theirs.Syntax {
		return differs("its pixel data differs, and is not decoded here")
	}
	return nil
}

// pixelDigest is the SHA-256 of the pixel data as it lies in the file.
func pixelDigest(r io.ReaderAt, f *dcm.File) (d pack.Digest, err error) {
	if f.Pixel == nil {
		return d, nil
	}
	if data := f.Inflated(); data != nil {
		r = dcm.Bytes(data)
	}
	parts := f.Pixel.Fragments
	if !f.Pixel.Encapsulated {
		parts = []dcm.Fragment{{ValueOffset: f.Pixel.ValueOffset, Length: f.Pixel.Length}}
	}
	sum := sha256.New()
	for _, p := range parts {
		if _, err := io.Copy(sum, io.NewSectionReader(r, p.ValueOffset, p.Length)); err != nil {
			return d, err
		}
	}
	return pack.Digest(sum.Sum(nil)), nil
}
