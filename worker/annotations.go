package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/roi/evidence"
)

// maxAnnotation is the largest JSON annotation that is taken.
const maxAnnotation = 64 << 20

// storeAnnotations stores the JSON annotations among the source files as they were received, also those that cannot be read: these keep
// the full images from being deleted until somebody looks.
func (d *derivation) storeAnnotations(ctx context.Context, files []catalog.SourceFile) ([]catalog.Annotation, error) {
	var out []catalog.Annotation
	for number, src := range files {
		raw, err := d.readAnnotation(ctx, src, number)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(raw)
		a := catalog.Annotation{Key: catalog.AnnotationKey(d.key, d.job.ID, d.job.Attempt, number), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(raw)),
			DocumentID: "unreadable-" + hex.EncodeToString(sum[:8]), At: d.now().UTC().Truncate(time.Millisecond)}
		if doc, err := evidence.ReadAnnotation(raw, evidence.Limits{}); err == nil {
			a.DocumentID, a.Revision = doc.SOPUID, doc.Revision
		}
		if d.hasAnnotation(a, out) {
			continue
		}
		if _, err := d.putHot(ctx, a.Key, raw); err != nil {
			return nil, err
		}
		out = append(out, a)
		d.report(src.Size, a.Size)
	}
	return out, nil
}

// hasAnnotation reports whether the very same document is stored.
func (d *derivation) hasAnnotation(a catalog.Annotation, more []catalog.Annotation) bool {
	var have []catalog.Annotation
	if d.parent != nil {
		have = d.parent.Manifest.Annotations
	}
	return slices.ContainsFunc(append(slices.Clone(have), more...), func(b catalog.Annotation) bool { return b.SHA256 == a.SHA256 })
}

func (d *derivation) readAnnotation(ctx context.Context, src catalog.SourceFile, number int) ([]byte, error) {
	if src.Size > maxAnnotation || src.Size == 0 {
		return nil, fmt.Errorf("annotation %d: it has %d bytes, must have 1 to %d: remove it from the queue", number, src.Size, maxAnnotation)
	}
	free, err := d.budget.Acquire(ctx, 2*src.Size)
	if err != nil {
		return nil, err
	}
	defer free()
	h, err := d.sources.openFile(ctx, src, number)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	raw := make([]byte, src.Size)
	if err := h.readAll(raw); err != nil {
		return nil, err
	}
	return raw, h.check()
}

// annotations reads the JSON annotations of a study. What is wrong with one is in its document.
func (g *gathering) annotations(ctx context.Context) error {
	for _, a := range g.view.Manifest.Annotations {
		raw, err := objstore.ReadRange(ctx, g.d.store, a.Key, 0, a.Size)
		if err != nil {
			return fmt.Errorf("annotation %s: %w", a.Key, err)
		}
		doc, err := evidence.ReadAnnotation(raw, g.lim)
		switch {
		case err == nil && doc.StudyUID != g.UID:
			err = errors.New("it is about another study")
		case err == nil && doc.SOPUID != a.DocumentID:
			err = errors.New("another document has the same id and revision")
		}
		if err != nil {
			doc = &evidence.Document{Kind: evidence.KindAnnotation, StudyUID: g.UID, SOPUID: a.DocumentID, Revision: a.Revision, Problems: []evidence.Problem{{What: err.Error()}}}
		}
		g.take(doc, a.SHA256)
	}
	return nil
}

// mergeAnnotations adds documents that are not there yet. One with the name and revision of another gets a name of its own, so that neither is lost.
func mergeAnnotations(have, more []catalog.Annotation) []catalog.Annotation {
	out := have[:len(have):len(have)]
	for _, a := range more {
		same := func(b catalog.Annotation) bool { return b.DocumentID == a.DocumentID && b.Revision == a.Revision }
		if slices.ContainsFunc(out, func(b catalog.Annotation) bool { return b.SHA256 == a.SHA256 }) {
			continue
		}
		if slices.ContainsFunc(out, same) {
			a.DocumentID += "~" + a.SHA256[:8]
		}
		out = append(out, a)
	}
	return out
}
