package worker

import (
	"os"
	"sync"

	"github.com/radtier/radtier/internal/preview"
)

// spool keeps what small pictures need of the codestreams that a study writes,
// the lowest resolution levels of each, in a temporary file: which level a series gets is known only when
// all of its frames are written, and asking the store for a part of every frame would be a request each. It is a
// convenience: what is not in it is read from the store.
type spool struct {
	mu    sync.Mutex
	file  *os.File
	bytes int64
	at    map[spooled]span
}

// spooled names a frame: volume number of this attempt, instance and frame in it.
type spooled struct{ volume, instance, frame int }

const spoolBytes = 8 << 30 // of a temporary file at most

// add keeps the prefix of a codestream, of the highest level that may be chosen.
func (s *spool) add(name spooled, width, height int, ends []int64, stream []byte, limit preview.Limit) {
	if s == nil || !limit.Levels(width, height, ends) {
		return
	}
	drop := preview.Drop(width, height, len(ends), limit.Longest())
	for drop < len(ends)-1 && float64(preview.Prefix(ends, drop)) > limit.Most()*float64(len(stream)) {
		drop++
	}
	n := preview.Prefix(ends, drop)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > int64(len(stream)) || s.bytes+n > spoolBytes {
		return
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "radtier-previews-*")
		if err != nil {
			s.bytes = spoolBytes // no further tries
			return
		}
		s.file, s.at = f, map[spooled]span{}
		_ = os.Remove(f.Name()) // where the system lets go of open files' names
	}
	if _, err := s.file.WriteAt(stream[:n], s.bytes); err != nil {
		return
	}
	s.at[name] = span{s.bytes, n}
	s.bytes += n
}

// get returns the first n bytes of a codestream, false if they are not here.
func (s *spool) get(name spooled, n int64) ([]byte, bool) {
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	at, ok := s.at[name]
	s.mu.Unlock()
	if !ok || at.length < n {
		return nil, false
	}
	out := make([]byte, n)
	if _, err := s.file.ReadAt(out, at.offset); err != nil {
		return nil, false
	}
	return out, true
}

// close gives the file up.
func (s *spool) close() {
	if s != nil && s.file != nil {
		s.file.Close()
		_ = os.Remove(s.file.Name()) // as a rule it is gone already
	}
}
