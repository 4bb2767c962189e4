package dicomweb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
)

// Address is where an instance is.
type Address struct{ Study, Series, SOP string }

// Image is what the header of an instance says of its frames.
type Image struct {
	Rows, Columns, Frames, Samples     int // Frames is 1 where the header does not say
	BitsAllocated, BitsStored, HighBit int
	Signed, Planar                     bool // Planar: Planar Configuration 1
	Photometric                        string
}

const (
	explicitLE = "1.2.840.10008.1.2.1"
	implicitLE = "1.2.840.10008.1.2"
	// envelope is what an answer of one part may have around the part.
	envelope = 64 << 10
)

// Image asks for the header of an instance. *RefusedError if the server does not give it, or it has no frames.
func (c *Client) Image(ctx context.Context, at Address) (*Image, error) {
	path, err := pathOf(at.Study, at.Series, at.SOP)
	if err != nil {
		return nil, err
	}
	what := "header of instance " + named(at.SOP)
	list, _, err := c.page(ctx, what, path+"/metadata", at.Study)
	switch {
	case err != nil:
		return nil, asRefused(what, err)
	case len(list) != 1 || list[0].SOP.text() != at.SOP:
		return nil, &MalformedError{what, "it is not about this one instance"}
	}
	r := list[0]
	img := &Image{Rows: r.Rows.number(), Columns: r.Columns.number(), Frames: max(1, r.Frames.number()), Samples: max(1, r.Samples.number()),
		BitsAllocated: r.Allocated.number(), BitsStored: r.Stored.number(), HighBit: r.High.number(),
		Signed: r.Signed.number() == 1, Planar: r.Planar.number() == 1, Photometric: r.Photometric.text()}
	if img.Rows == 0 || img.Columns == 0 || img.BitsAllocated == 0 || img.BitsStored == 0 {
		return nil, &RefusedError{what, "it does not say how the frames are laid out"}
	}
	return img, nil
}

// Frame asks for a frame, counted from 1, as native words in little endian, of at most so many bytes. *RefusedError if the server does not give it so; larger
// ones are a *LimitError.
func (c *Client) Frame(ctx context.Context, at Address, frame int, most int64) (data []byte, err error) {
	path, err := pathOf(at.Study, at.Series, at.SOP)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("frame %d of instance %s", frame, named(at.SOP))
	accept := `multipart/related; type="application/octet-stream"; transfer-syntax=` + explicitLE
	err = c.get(ctx, request{what, fmt.Sprintf("%s/frames/%d", path, frame), accept, most + envelope}, func(a *answer) error {
		return onePart(a, "application/octet-stream", func(r io.Reader, syntax string) (err error) {
			if syntax != "" && syntax != explicitLE && syntax != implicitLE {
				return &RefusedError{what, "it comes in another transfer syntax"}
			}
			if data, err = io.ReadAll(io.LimitReader(r, most+1)); err == nil && int64(len(data)) > most {
				return &LimitError{what, most}
			}
			return err
		})
	})
	return data, asRefused(what, err)
}

// File asks for an instance as a DICOM file, in the transfer syntax that the server keeps it in, and writes it to f, which is emptied before. ErrNotFound if the
// server does not have it.
func (c *Client) File(ctx context.Context, at Address, f *os.File, most int64) error {
	path, err := pathOf(at.Study, at.Series, at.SOP)
	if err != nil {
		return err
	}
	what := "instance " + named(at.SOP)
	var disk error
	err = c.get(ctx, request{what, path, `multipart/related; type="application/dicom"; transfer-syntax=*`, most + envelope}, func(a *answer) error {
		return onePart(a, "application/dicom", func(r io.Reader, _ string) error {
			if disk = errors.Join(f.Truncate(0), seekStart(f)); disk != nil {
				return disk
			}
			_, err := io.Copy(writer{f, &disk}, r)
			return err
		})
	})
	var status *StatusError
	switch {
	case disk != nil:
		return disk
	case errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusGone):
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return err
}

func seekStart(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// writer keeps the error of the file, which is not the server's.
type writer struct {
	f   *os.File
	err *error
}

func (w writer) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		*w.err = err
	}
	return n, err
}

// onePart reads an answer of one part: a multipart one, or the part alone.
func onePart(a *answer, want string, read func(r io.Reader, syntax string) error) error {
	kind, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || a.StatusCode == http.StatusNoContent {
		return &RefusedError{a.what, "nothing comes, or it is not said what"}
	}
	if kind != "multipart/related" {
		return readPart(a, a.what, kind, want, params["transfer-syntax"], a, read)
	}
	parts := multipart.NewReader(a, params["boundary"])
	part, err := parts.NextRawPart()
	if err != nil {
		return &MalformedError{a.what, "it has no part"}
	}
	kind, inner, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil {
		kind, inner = params["type"], nil
	}
	if err := readPart(a, a.what, kind, want, inner["transfer-syntax"], part, read); err != nil {
		return err
	}
	switch _, err := parts.NextRawPart(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return &MalformedError{a.what, "its end is missing"}
	}
	return &MalformedError{a.what, "it has more than one part"}
}

func readPart(a *answer, what, kind, want, syntax string, r io.Reader, read func(r io.Reader, syntax string) error) error {
	if kind != want {
		return &RefusedError{what, "it comes as another kind of data"}
	}
	err := read(r, syntax)
	if err != nil && (errors.Is(err, io.ErrUnexpectedEOF) || strings.HasPrefix(err.Error(), "multipart:")) && a.broke == nil {
		return &MalformedError{what, "its end is missing"}
	}
	return err
}

// asRefused is an answer that says no to what was asked for, if it may say yes to something else.
func asRefused(what string, err error) error {
	var status *StatusError
	if errors.As(err, &status) {
		switch status.Code {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusGone, http.StatusUnsupportedMediaType,
			http.StatusInternalServerError, http.StatusNotImplemented:
			return &RefusedError{what, fmt.Sprintf("status %d", status.Code)}
		}
	}
	return err
}
