package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/roi/evidence"
)

// MaxAnnotationBytes is the most that a JSON annotation document may have. One lesion takes some 300 bytes.
const MaxAnnotationBytes = maxAnnotation

// AnnotateOptions changes how annotations are queued.
type AnnotateOptions struct {
	Tenant string
	After  string // what happens to the files once they are stored; "" is "keep"
}

// Annotated is an annotation document that was queued.
type Annotated struct {
	catalog.StudyKey
	Path       string
	DocumentID string
	Revision   int
	Findings   int
	Job        catalog.Job
}

// errUnknownStudy says that images come before what is said about them.
var errUnknownStudy = errors.New("its study is not here: queue the images first")

// Annotate queues JSON annotation documents, each as a late arrival of its study, which is looked at again. All documents are read before the
// first is queued, so that a broken one stops all. Queueing the same file again is no new work, and neither is a document that is stored already.
func (c *Client) Annotate(ctx context.Context, paths []string, o AnnotateOptions) ([]Annotated, error) {
	if err := catalog.CheckTenant(o.Tenant); err != nil {
		return nil, err
	}
	list := make([]Annotated, len(paths))
	pins := make([]catalog.SourceFile, len(paths))
	for i, path := range paths {
		root, err := SourceRoot(path)
		if err != nil {
			return nil, err
		}
		pin, err := c.Sources.pin(ctx, root)
		if errors.Is(err, errGone) {
			err = errors.New("there is no such file")
		}
		if err == nil {
			pin.Path, pin.Kind = root, catalog.KindOfAnnotation
			list[i], err = c.annotation(ctx, pin, o)
		}
		if err != nil {
			return nil, fmt.Errorf("annotation file %d of %d: %w", i+1, len(paths), withoutPath(err))
		}
		pins[i] = pin
	}
	for i := range list {
		a := catalog.Arrival{StudyKey: list[i].StudyKey, Source: pins[i].Path, Files: pins[i : i+1], After: o.After, Complete: true}
		var err error
		if list[i].Job, err = c.DB.Enqueue(ctx, a, 0); err != nil {
			return list[:i], fmt.Errorf("annotation file %d of %d: %w", i+1, len(paths), err)
		}
	}
	return list, nil
}

// annotation reads a document before it is queued.
func (c *Client) annotation(ctx context.Context, pin catalog.SourceFile, o AnnotateOptions) (Annotated, error) {
	raw, err := c.Sources.readPinned(ctx, pin)
	if err != nil {
		return Annotated{}, err
	}
	doc, err := evidence.ReadAnnotation(raw, evidence.Limits{})
	if err != nil {
		return Annotated{}, err
	}
	a := Annotated{StudyKey: catalog.StudyKey{Tenant: o.Tenant, UID: doc.StudyUID}, Path: pin.Path, DocumentID: doc.SOPUID, Revision: doc.Revision, Findings: len(doc.Findings)}
	if _, err := c.DB.FindStudy(ctx, a.Tenant, a.UID); errors.Is(err, catalog.ErrNoStudy) {
		return a, errUnknownStudy
	} else if err != nil {
		return a, err
	}
	return a, nil
}

// readPinned reads a small file that must be as it was pinned.
func (s *Sources) readPinned(ctx context.Context, pin catalog.SourceFile) ([]byte, error) {
	if pin.Size > MaxAnnotationBytes {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", pin.Size, MaxAnnotationBytes)
	}
	h, err := s.openPinned(ctx, pin)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	raw := make([]byte, pin.Size)
	return raw, h.readAll(raw)
}
