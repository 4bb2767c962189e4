package catalog

import (
	"errors"
	"fmt"
	"strings"
)

// Validate reports every broken invariant of a manifest, joined; nil if there is none.
func (m *Manifest) Validate() error {
	v := &validator{}
	v.check(m.Schema == ManifestSchema, "schema is %.40q, must be %q", m.Schema, ManifestSchema)
	if err := checkStudy(m.Study()); err != nil {
		v.add(err)
		return errors.Join(v.errs...) // nothing below makes sense
	}
	v.check(m.Generation >= 1 && m.Generation < 1e10, "generation is %d, must be 1 to 9999999999", m.Generation)
	v.check(validJob(m.Job), "job %.80q is not letters and digits", m.Job)
	v.check(m.Attempt >= 1, "attempt is %d, must be 1 or more", m.Attempt)
	v.check(m.Action != "", "action is missing")
	v.check(!m.Created.IsZero() && !m.FirstCreated.IsZero() && !m.FirstCreated.After(m.Created), "created is %v, first_created %v: both are needed, in order", m.Created, m.FirstCreated)
	v.check(m.Arrivals >= 0, "arrivals is %d", m.Arrivals)
	v.check(len(m.Batches) <= MaxBatches, "batches has %d digests, the most is %d", len(m.Batches), MaxBatches)
	for _, b := range m.Batches {
		v.check(isHex(b, batchChars), "batch %.80q is not a digest", b)
	}
	v.check(m.Status == StatusStored || m.Status == StatusPartial, "status is %.40q", m.Status)
	v.check((m.Status == StatusPartial) == (len(m.Quarantined) > 0), "status is %q with %d quarantined files", m.Status, len(m.Quarantined))
	v.parent(m)
	v.objects(m)
	v.marks(m)
	v.about(m)
	v.custody(m)
	v.regions(m)
	return errors.Join(v.errs...)
}

type validator struct{ errs []error }

func (v *validator) add(err error) { v.errs = append(v.errs, err) }

func (v *validator) check(ok bool, format string, args ...any) {
	if !ok {
		v.add(fmt.Errorf(format, args...))
	}
}

func (v *validator) parent(m *Manifest) {
	if m.Parent == nil {
		v.check(m.Generation == 1, "generation %d has no parent", m.Generation)
		return
	}
	o, ok := ParseKey(m.Parent.Key)
	v.check(ok && o.Kind == KindManifest && o.Prefix() == m.Study().Prefix() && o.Generation == m.Generation-1,
		"parent %.200q is not a manifest of this study's generation %d", m.Parent.Key, m.Generation-1)
	v.check(isHex(m.Parent.SHA256, 64), "parent's SHA-256 is %.80q", m.Parent.SHA256)
}

func (v *validator) objects(m *Manifest) {
	seen := map[string]bool{}
	var stored int64
	object := func(what, key string, kind ObjectKind, size int64, sum string) {
		o, ok := ParseKey(key)
		v.check(ok && o.Kind == kind && o.Prefix() == m.Study().Prefix(), "%s: key %.200q is not one of this study", what, key)
		v.check(!seen[key], "%s: key %.200q is named twice", what, key)
		seen[key] = true
		v.check(size > 0 && size < 1<<50, "%s: size is %d", what, size)
		v.check(isHex(sum, 64), "%s: SHA-256 is %.80q", what, sum)
		stored += size
	}
	for i, p := range m.Packs {
		what := fmt.Sprintf("pack %d", i)
		object(what, p.Key, KindPack, p.Size, p.SHA256)
		switch p.Class {
		case ClassFull, ClassRegion, ClassResult, ClassPreview:
		default:
			v.check(false, "%s: class is %.40q", what, p.Class)
		}
		v.check(p.Tier != "", "%s: tier is missing", what)
		v.check(p.Instances >= 0 && p.Frames >= 0 && p.RawBytes >= 0, "%s: has %d instances, %d frames, %d raw bytes", what, p.Instances, p.Frames, p.RawBytes)
		v.check(!p.Since.IsZero(), "%s: since is missing", what)
		v.check(p.Index == nil || p.Index[0] >= 0 && p.Index[1] > 0 && p.Index[0] <= p.Size && p.Index[1] <= p.Size-p.Index[0], "%s: its index lies outside", what)
	}
	if h := m.Hot; h != nil {
		object("hot bundle", h.Key, KindHot, h.Size, h.SHA256)
		v.check(!h.Since.IsZero(), "hot bundle: since is missing")
		v.check(len(h.Parts) == len(m.Packs), "hot bundle: has %d parts for %d packs", len(h.Parts), len(m.Packs))
		inside := func(what string, r Range) {
			v.check(r[0] >= 0 && r[1] >= 0 && r[0] <= h.Size && r[1] <= h.Size-r[0], "hot bundle: %s is at %d+%d of %d bytes", what, r[0], r[1], h.Size)
		}
		for i, p := range h.Parts {
			inside(fmt.Sprintf("index of pack %d", i), p.Index)
			for j, b := range p.Blocks {
				inside(fmt.Sprintf("block %d of pack %d", j, i), b)
			}
		}
		for name, r := range h.Thumbs {
			inside(fmt.Sprintf("thumbnail %.80q", name), r)
		}
	}
	if r := m.Regions; r != nil {
		object("region record", r.Key, KindRecord, r.Size, r.SHA256)
		if p := r.Picture; p != nil {
			object("picture of the regions", p.Key, KindPicture, p.Size, p.SHA256)
		}
	}
	for i, a := range m.Annotations {
		object(fmt.Sprintf("annotation %d", i), a.Key, KindAnnotation, a.Size, a.SHA256)
	}
	v.check(len(m.Certificates) <= maxCertificates, "%d certificates, the most is %d", len(m.Certificates), maxCertificates)
	for i, c := range m.Certificates {
		object(fmt.Sprintf("certificate %d", i), c.Key, KindCertificate, c.Size, c.SHA256)
		v.check((c.Class != "") != c.Erasure && c.By != "" && !c.At.IsZero(), "certificate %d: its class or time is missing, or who purged", i)
	}
	t := m.Totals
	v.check(t.Instances >= 0 && t.Frames >= 0 && t.RawBytes >= 0 && t.Series >= 0 && t.Passed >= 0 && t.Passed <= t.Instances, "totals %+v make no sense", t)
	v.check(t.StoredBytes == stored, "totals say %d stored bytes, the objects have %d", t.StoredBytes, stored)
}

func (v *validator) marks(m *Manifest) {
	seen := map[string]bool{}
	for i, q := range m.Quarantined {
		v.check(isHex(q.SHA256, 64) && q.Key == QuarantineKey(m.Tenant, q.SHA256), "quarantined file %d: key %.200q is not that of its SHA-256", i, q.Key)
		v.check(!seen[q.SHA256], "quarantined file %d is listed twice", i)
		seen[q.SHA256] = true
		v.check(q.Size >= 0 && q.Reason != "", "quarantined file %d: has size %d and reason %.80q", i, q.Size, q.Reason)
	}
	for i, w := range m.Withdrawn {
		v.check(w.SOPUID != "" && w.Code != "", "withdrawn mark %d lacks its instance or code", i)
	}
	for i, a := range m.Amendments {
		v.check(strings.HasPrefix(a.Key, m.Study().Prefix()) && isHex(a.SHA256, 64), "amendment %d: key %.200q or SHA-256 is wrong", i, a.Key)
	}
	for i, c := range m.Conflicts {
		v.check(len(c.Files) >= 2 && (c.Kind == "header" || c.Kind == "samples"), "conflict %d: has %d files and kind %.40q", i, len(c.Files), c.Kind)
	}
	v.holds(m)
	v.trash(m)
	v.restored(m)
	v.erasure(m)
	for i, iv := range m.Intervals {
		v.check(iv.Key != "" && iv.Bytes >= 0 && !iv.To.Before(iv.From), "interval %d: key %.200q, %d bytes, %v to %v", i, iv.Key, iv.Bytes, iv.From, iv.To)
	}
}
