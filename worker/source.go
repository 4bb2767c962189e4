package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/radtier/radtier/internal/catalog"
)

// ErrSourceChanged says that a source file is not the one that was queued:
// its size or time differs, or it is gone. Whoever changed it queues it again; the study waits for that.
var ErrSourceChanged = errors.New("source file changed since it was queued")

// openSource opens a queued file and checks its pin before and, on Close,
// after it was read. Errors name the file by its number in the arrival and never by its path, which may hold patient data.
func openSource(_ context.Context, f catalog.SourceFile, number int) (*sourceFile, error) {
	h, err := os.Open(f.Path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("source file %d: %w: it is gone", number, ErrSourceChanged)
		}
		return nil, fmt.Errorf("source file %d: %w", number, withoutPath(err))
	}
	s := &sourceFile{File: h, pin: f, number: number}
	if err := s.check(); err != nil {
		h.Close()
		return nil, err
	}
	return s, nil
}

type sourceFile struct {
	*os.File
	pin    catalog.SourceFile
	number int
}

// check compares the open file with its pin.
func (s *sourceFile) check() error {
	info, err := s.Stat()
	if err != nil {
		return fmt.Errorf("source file %d: %w", s.number, withoutPath(err))
	}
	if info.Size() != s.pin.Size || !info.ModTime().Equal(s.pin.ModTime) {
		return fmt.Errorf("source file %d: %w", s.number, ErrSourceChanged)
	}
	return nil
}

// readAll reads the whole file into buf, which has its size, and checks the pin again.
func (s *sourceFile) readAll(buf []byte) error {
	if _, err := io.ReadFull(s.File, buf); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("source file %d: %w: it is shorter", s.number, ErrSourceChanged)
		}
		return fmt.Errorf("source file %d: %w", s.number, withoutPath(err))
	}
	return s.check()
}

// withoutPath drops the file's name from an error of package os.
func withoutPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	return err
}
