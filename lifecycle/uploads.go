package lifecycle

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Upload is an upload in parts that was begun and neither completed nor aborted. Its parts are billed until then.
type Upload struct {
	Key       string
	ID        string // the server's name of it
	Initiated time.Time
	Bytes     int64 // of the parts that are up
}

// Uploader is a store that keeps unfinished uploads.
type Uploader interface {
	// Uploads yields the unfinished uploads that were begun before a time, and stops at the first error, which it yields.
	Uploads(ctx context.Context, olderThan time.Time) iter.Seq2[Upload, error]
	// AbortUpload discards one; one that is not there is not an error.
	AbortUpload(ctx context.Context, u Upload) error
}

const reasonUpload = "an upload that was never finished; its job is over"

// uploads aborts the unfinished uploads of a tier that are older than the
// grace period and whose job is over. No catalog row is needed: an upload that is not completed
// is no object, so nothing can name it, and a late completion of it fails.
func (s *sweep) uploads(ctx context.Context, t Tier, prefix string) error {
	for u, err := range t.Uploads.Uploads(ctx, s.o.Now().Add(-s.o.Grace)) {
		if err != nil {
			return fmt.Errorf("uploads of tier %s: %w", t.Name, err)
		}
		if !strings.HasPrefix(u.Key, prefix) {
			continue
		}
		switch key, ours := catalog.ParseKey(u.Key); {
		case ours:
			open, err := s.db.JobOpen(ctx, key.Job)
			if err != nil {
				return err
			}
			if open {
				s.Open++
				continue
			}
		case !quarantined(u.Key):
			s.Unknown++
			continue
		}
		if !s.o.DryRun {
			if err := t.Uploads.AbortUpload(ctx, u); err != nil {
				return fmt.Errorf("abort the upload of %s to tier %s: %w", u.Key, t.Name, err)
			}
		}
		s.Unfinished++
		s.Objects = append(s.Objects, Swept{u.Key, t.Name, u.Bytes, reasonUpload})
		s.Bytes += u.Bytes
	}
	return nil
}

// quarantined reports whether a key is that of a quarantined file, which belongs to no job: t/<tenant>/q/<hh>/<digest>
func quarantined(key string) bool {
	part := strings.Split(key, "/")
	return len(part) == 5 && part[0] == "t" && part[2] == "q" && catalog.CheckTenant(part[1]) == nil && objstore.CheckKey(key) == nil
}
