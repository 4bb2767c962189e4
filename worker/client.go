package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Client queues studies. It is what ingest services use.
type Client struct {
	DB    *catalog.DB
	Store objstore.Store // the hot tier: files that cannot be queued are quarantined there
	// Sources opens source files; nil reads directories only.
	Sources *Sources
}

// EnqueueOptions changes how studies are queued.
type EnqueueOptions struct {
	Tenant string
	// After says what happens to source files once their study is committed: "keep" (default), "move",
	// "delete-when-committed". Objects are only kept: a bucket cannot be asked to delete an object only if it still is the one that was stored.
	After string
	// MoveTo is the directory that files are moved to with After "move".
	MoveTo string
	// Quiet is how long no new instance must have come before a study is
	// worked on. Zero means that the sender says the studies are complete.
	Quiet time.Duration
}

// Enqueue queues every study of found and quarantines what cannot be queued.
// It returns the jobs, one per study. Queueing the same files again is no new work.
func (c *Client) Enqueue(ctx context.Context, found *Found, source string, o EnqueueOptions) ([]catalog.Job, error) {
	if err := catalog.CheckTenant(o.Tenant); err != nil {
		return nil, err
	}
	if o.After == "" {
		o.After = "keep"
	}
	if err := found.mayBe(o.After); err != nil {
		return nil, err
	}
	var jobs []catalog.Job
	studies := found.Studies
	for _, b := range found.Broken {
		more, err := c.quarantine(ctx, o.Tenant, b)
		if err != nil {
			return nil, err
		}
		studies = append(studies[:len(studies):len(studies)], more...)
	}
	for _, s := range studies {
		a := catalog.Arrival{StudyKey: catalog.StudyKey{Tenant: o.Tenant, UID: s.UID}, Source: source, Files: s.Files, After: o.After, MoveTo: o.MoveTo, Complete: o.Quiet == 0}
		job, err := c.DB.Enqueue(ctx, a, o.Quiet)
		if err != nil {
			return jobs, fmt.Errorf("queue study %s: %w", s.UID, err)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// ErrKeptOnly says that source files in a bucket were to be moved or deleted.
var ErrKeptOnly = errors.New("source files in a bucket can only be kept: use --after keep, and let the bucket's own lifecycle rules remove them")

// mayBe checks whether that can happen to all files of f.
func (f *Found) mayBe(after string) error {
	if after == catalog.AfterKeep {
		return nil
	}
	for _, s := range f.Studies {
		for _, x := range s.Files {
			if IsBucketSource(x.Path) {
				return ErrKeptOnly
			}
		}
	}
	return nil
}

// quarantine stores the bytes of a file that cannot be queued. If it was
// changed since it was looked at, what it is now counts: it may be a file of a study by now, which is returned.
func (c *Client) quarantine(ctx context.Context, tenant string, b BrokenFile) ([]FoundStudy, error) {
	for try := 0; ; try++ {
		err := c.quarantinePinned(ctx, tenant, b)
		switch {
		case errors.Is(err, errGone):
			return nil, nil // gone since it was looked at
		case err == nil || !errors.Is(err, ErrSourceChanged) || try == 3:
			return nil, err
		}
		l, err := c.Sources.lookAt(ctx, catalog.SourceFile{Path: b.Path})
		switch {
		case errors.Is(err, errGone):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("quarantine: %w", withoutPath(err))
		case l.broken == "":
			return group([]looking{l}).Studies, nil
		}
		b = BrokenFile{b.Path, l.file.Size, l.broken, l.file}
	}
}

func (c *Client) quarantinePinned(ctx context.Context, tenant string, b BrokenFile) error {
	h, err := c.Sources.openPinned(ctx, b.Pin)
	if err != nil {
		return fmt.Errorf("quarantine: %w", withoutPath(err))
	}
	defer h.Close()
	q, err := PutQuarantine(ctx, c.Store, tenant, h, b.Size, b.Reason)
	if err == nil {
		err = h.unchanged()
	}
	if err != nil {
		return fmt.Errorf("quarantine: %w", withoutPath(err))
	}
	return c.DB.QuarantineAdd(ctx, catalog.QuarantineEntry{Tenant: tenant, Quarantined: q, Path: b.Path})
}

// PutQuarantine stores the bytes of an unreadable file and, beside them, why
// it is there. The key is the file's digest, so storing it again changes nothing.
func PutQuarantine(ctx context.Context, store objstore.Store, tenant string, r io.ReaderAt, size int64, reason string) (catalog.Quarantined, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, size)); err != nil {
		return catalog.Quarantined{}, withoutPath(err)
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	q := catalog.Quarantined{SHA256: hex.EncodeToString(sum[:]), Size: size, Reason: reason}
	q.Key = catalog.QuarantineKey(tenant, q.SHA256)
	put := func(key string, body io.Reader, size int64, sum [sha256.Size]byte) error {
		if info, err := store.Head(ctx, key); err == nil && info.Size == size {
			return nil
		}
		_, err := store.Put(ctx, key, body, objstore.PutOptions{Size: size, SHA256: sum})
		if errors.Is(err, objstore.ErrExists) {
			return nil
		}
		return err
	}
	if err := put(q.Key, io.NewSectionReader(r, 0, size), size, sum); err != nil {
		return catalog.Quarantined{}, err
	}
	note, err := json.Marshal(q)
	if err != nil {
		return catalog.Quarantined{}, err
	}
	if _, err := store.Head(ctx, catalog.QuarantineNote(q.Key)); errors.Is(err, objstore.ErrNotFound) {
		err = put(catalog.QuarantineNote(q.Key), bytes.NewReader(note), int64(len(note)), sha256.Sum256(note))
		if err != nil {
			return catalog.Quarantined{}, err
		}
	} else if err != nil {
		return catalog.Quarantined{}, err
	}
	return q, nil
}
