package worker

import (
	"bytes"
	"io"
	"os"
)

// spillBytes is how much of an object of unknown size is gathered in memory before it goes to a temporary file.
const spillBytes = 4 << 20

// spill gathers an object before it goes to the store. Where no temporary file can be had it stays in memory.
type spill struct {
	buf  bytes.Buffer
	file *os.File
	none bool // no temporary file can be had
}

func (s *spill) Write(p []byte) (int, error) {
	if s.file == nil && !s.none && s.buf.Len()+len(p) > spillBytes {
		f, err := os.CreateTemp("", "radtier-object-*")
		if s.none = err != nil; err == nil {
			_ = os.Remove(f.Name()) // where the system lets go of open files' names
			s.file = f
			if _, err := f.Write(s.buf.Bytes()); err != nil {
				return 0, err
			}
			s.buf = bytes.Buffer{}
		}
	}
	if s.file != nil {
		return s.file.Write(p)
	}
	return s.buf.Write(p)
}

// reader reads the object from its beginning. Nothing may be written after that.
func (s *spill) reader() (io.Reader, error) {
	if s.file == nil {
		return bytes.NewReader(s.buf.Bytes()), nil
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return s.file, err
}

// close gives the object up. It may be called twice.
func (s *spill) close() {
	if s.file != nil {
		s.file.Close()
		_ = os.Remove(s.file.Name()) // as a rule it is gone already
		s.file = nil
	}
	s.buf = bytes.Buffer{}
}
