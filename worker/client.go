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
	"os"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Client queues studies. It is what ingest services use.
type Client struct {
	DB    *catalog.DB
	Store objstore.Store // the hot tier: files that cannot be queued are quarantined there
	Queue Dispatcher     // told of new jobs at once; nil: workers find them in the catalog within a second
}

// Dispatcher hands a job to whatever worker is free. Losing a hand-over costs time, never a job.
type Dispatcher interface {
	Dispatch(ctx context.Context, job catalog.Job) error
}

// EnqueueOptions changes how studies are queued.
type EnqueueOptions struct {
	Tenant string
	// After says what happens to source files once their study is committed: "keep" (default), "move", "delete-when-committed".
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
	for _, b := range found.Broken {
		if err := c.quarantine(ctx, o.Tenant, b); err != nil {
			return nil, err
		}
	}
	var jobs []catalog.Job
	for _, s := range found.Studies {
		a := catalog.Arrival{StudyKey: catalog.StudyKey{Tenant: o.Tenant, UID: s.UID}, Source: source, Files: s.Files, After: o.After, MoveTo: o.MoveTo, Complete: o.Quiet == 0}
		job, err := c.DB.Enqueue(ctx, a, o.Quiet)
		if err != nil {
			return jobs, fmt.Errorf("queue study %s: %w", s.UID, err)
		}
		jobs = append(jobs, job)
		if c.Queue != nil && o.Quiet == 0 {
			if err := c.Queue.Dispatch(ctx, job); err != nil && ctx.Err() != nil {
				return jobs, context.Cause(ctx)
			} // otherwise workers find the job in the catalog
		}
	}
	return jobs, nil
}

func (c *Client) quarantine(ctx context.Context, tenant string, b BrokenFile) error {
	h, err := os.Open(b.Path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil // gone since it was looked at
		}
		return err
	}
	defer h.Close()
	q, err := PutQuarantine(ctx, c.Store, tenant, h, b.Size, b.Reason)
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
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
	if _, err := store.Head(ctx, q.Key+".json"); errors.Is(err, objstore.ErrNotFound) {
		err = put(q.Key+".json", bytes.NewReader(note), int64(len(note)), sha256.Sum256(note))
		if err != nil {
			return catalog.Quarantined{}, err
		}
	} else if err != nil {
		return catalog.Quarantined{}, err
	}
	return q, nil
}
