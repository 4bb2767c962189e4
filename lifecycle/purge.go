package lifecycle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/lifecycle/policy"
)

// ActionPurge is the kind of side jobs that delete for good, and the action of their generations.
const ActionPurge = "purge"

// DeletionSchema is the format of certificates.
const DeletionSchema = "radtier.deletion/1"

// Deletion is the certificate of a purge or an erasure: what exactly a study has no more, and why. It holds UIDs and digests and no patient data.
type Deletion struct {
	Schema     string    `json:"schema"`
	Tenant     string    `json:"tenant"`
	StudyUID   string    `json:"study_uid"`
	Generation int64     `json:"generation"` // the last that named the objects
	At         time.Time `json:"at"`
	By         string    `json:"by"` // who applied the plan, or ordered the erasure
	Why        []string  `json:"why"`
	// Of a purge.
	Class   catalog.Class    `json:"class,omitempty"`
	Trashed *catalog.Trashed `json:"trashed,omitempty"`
	Policy  string           `json:"policy,omitempty"` // digest
	Rule    string           `json:"rule,omitempty"`
	Plan    string           `json:"plan,omitempty"` // digest
	// Erasure is the order of an erasure: the objects are all that the study had and are not named any more, the instances in them those that were erased.
	Erasure *catalog.Erasure `json:"erasure,omitempty"`
	Proof   *catalog.Proof   `json:"proof,omitempty"` // of the primary copy
	Large   string           `json:"large,omitempty"` // why the breaker did not count
	Objects []DeletedObject  `json:"objects"`
}

// DeletedObject is one of the objects. Its bytes go with the next sweep after its grace period.
type DeletedObject struct {
	Key       string            `json:"key"`
	Tier      string            `json:"tier"`
	Bytes     int64             `json:"bytes"`
	SHA256    string            `json:"sha256"`
	Instances []DeletedInstance `json:"instances,omitempty"`
}

// DeletedInstance is an instance that was in a pack.
type DeletedInstance struct {
	SeriesUID  string `json:"series_uid"`
	SOPUID     string `json:"sop_uid"`
	FileSHA256 string `json:"file_sha256,omitempty"`
}

// Purger deletes for good what was long enough in the trash.
type Purger struct {
	Trasher
	Tiers Places
}

// Steps of a purge at which hooks are called, beside those of the commit.
const (
	StepProved      = "proved"      // what stays was read again
	StepBundled     = "bundled"     // the new hot bundle is there
	StepCertificate = "certificate" // the certificate is there
)

// Purge commits a generation that names nothing of a class any more, with a certificate; a sweep removes the objects after its grace period. The
// policy is asked before anything is written and again about the very generation that the commit follows. Full images go only after the regions and
// results that stay for them were read back. The hot bundle is written anew, without the headers of what goes.
//
// Errors: ErrNotDue, ErrVerify, catalog.ErrBusy; those of catalog.Commit and of the stores.
func (p *Purger) Purge(ctx context.Context, job catalog.Job) (*catalog.Manifest, error) {
	a, err := ParseTrash(job.Args)
	if err != nil {
		return nil, err
	}
	if err := p.Guard.ask(ctx); err != nil {
		return nil, err
	}
	rules, err := LoadPolicy(ctx, p.Store, a.Rules, a.Policy)
	if err != nil {
		return nil, err
	}
	accessed, err := p.DB.Accessed(ctx, job.Tenant, job.Hash())
	if err != nil {
		return nil, err
	}
	now := p.Now().UTC().Truncate(time.Millisecond)
	head, _, err := catalog.Heal(ctx, p.DB, p.Store, job.Tenant, job.Hash())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, fmt.Errorf("purge: %w", catalog.ErrNoStudy)
	}
	d := &Deletion{Schema: DeletionSchema, Tenant: head.Tenant, StudyUID: head.StudyUID, Generation: head.Generation, Class: a.Class, At: now, By: a.By, Policy: a.Policy, Plan: a.Plan, Large: a.Large}
	if d.Rule, d.Why, err = due(rules, head, p.Hot, accessed, now, a.Class, policy.Purge); err != nil {
		return nil, err
	}
	d.Trashed = head.InTrash(a.Class)
	if c := head.Custody; c != nil {
		d.Proof = c.Proof
	}
	if a.Class == catalog.ClassFull {
		if err := p.prove(ctx, head); err != nil {
			return nil, err
		}
	}
	if err := p.Hooks.Step(ctx, StepProved); err != nil {
		return nil, err
	}
	r := &remains{study: head, class: a.Class}
	if err := r.write(ctx, p, job, now); err != nil {
		return nil, err
	}
	if err := p.Hooks.Step(ctx, StepBundled); err != nil {
		return nil, err
	}
	d.Objects = r.gone
	cert, err := putCertificate(ctx, p.Store, job, d)
	if err != nil {
		return nil, err
	}
	if err := p.Hooks.Step(ctx, StepCertificate); err != nil {
		return nil, err
	}
	had := keysOf(head)
	return p.commit(ctx, job, a, func(m *catalog.Manifest) (*catalog.Manifest, error) {
		if m == nil {
			return nil, catalog.ErrNoStudy
		}
		if !maps.Equal(had, keysOf(m)) {
			return nil, fmt.Errorf("%w: the study changed meanwhile", ErrNotDue)
		}
		if _, _, err := due(rules, m, p.Hot, accessed, now, a.Class, policy.Purge); err != nil {
			return nil, err
		}
		r.on(m)
		m.Certificates = append(m.Certificates, *cert)
		m.Totals.StoredBytes = m.StoredBytes()
		return m, m.TakeFromTrash(a.Class)
	})
}

func (p *Purger) commit(ctx context.Context, job catalog.Job, a TrashArgs, change catalog.Change) (*catalog.Manifest, error) {
	return catalog.Commit(ctx, p.DB, p.Store, catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: p.Owner, Action: ActionPurge, Note: a.note(), Hooks: p.Hooks, Quiet: true, Change: change})
}

// keysOf lists the objects that a manifest names.
func keysOf(m *catalog.Manifest) map[string]bool {
	list := map[string]bool{}
	m.Objects(func(key string, _ catalog.Class, _ string, _ int64) { list[key] = true })
	return list
}

// prove reads what stays of a study when its full images go: regions and results, packs and annotations, and compares digests. What lies in an archive class cannot
// be read; the store says that it is there.
func (p *Purger) prove(ctx context.Context, m *catalog.Manifest) error {
	for _, k := range m.Packs {
		if k.Class != catalog.ClassRegion && k.Class != catalog.ClassResult {
			continue
		}
		if err := p.sound(ctx, k); err != nil {
			return fmt.Errorf("%s %s must stay, and is not sound: %w", k.Class, k.Key, err)
		}
	}
	hot := []catalog.Pack{}
	for _, a := range m.Annotations {
		hot = append(hot, catalog.Pack{Key: a.Key, Size: a.Size, SHA256: a.SHA256})
	}
	if r := m.Regions; r != nil {
		hot = append(hot, catalog.Pack{Key: r.Key, Size: r.Size, SHA256: r.SHA256})
	}
	for _, k := range hot {
		if err := check(ctx, p.Store, k); err != nil {
			return fmt.Errorf("%s must stay, and is not sound: %w", k.Key, err)
		}
	}
	return nil
}

func (p *Purger) sound(ctx context.Context, k catalog.Pack) error {
	store, err := p.Tiers.Tier(k.Tier)
	if err != nil {
		return err
	}
	info, err := store.Head(ctx, k.Key)
	if err != nil {
		return err
	}
	if info.Restore.Archived {
		if info.Size != k.Size {
			return fmt.Errorf("it has %d bytes, must have %d: %w", info.Size, k.Size, ErrVerify)
		}
		return nil
	}
	return check(ctx, store, k)
}

// remains is what stays of a study when a class of it goes.
type remains struct {
	study     *catalog.Manifest
	class     catalog.Class
	gone      []DeletedObject
	packs     []catalog.Pack
	hot       *catalog.Bundle // of what stays; nil if nothing does
	totals    catalog.Totals
	conflicts []catalog.Conflict
}

// on changes a manifest that names the same objects to what stays.
func (r *remains) on(m *catalog.Manifest) {
	m.Packs, m.Hot, m.Totals, m.Conflicts = r.packs, r.hot, r.totals, r.conflicts
	switch r.class {
	case catalog.ClassResult:
		m.Annotations = nil
	case catalog.ClassPreview:
		if m.Regions != nil {
			rec := *m.Regions
			rec.Picture = nil
			m.Regions = &rec
		}
	}
}

// write finds out what goes and what stays, and writes the hot bundle of what stays.
func (r *remains) write(ctx context.Context, p *Purger, job catalog.Job, now time.Time) error {
	old, err := readBundle(ctx, p.Store, r.study.Hot)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	w := pack.NewBundleWriter(&buf)
	var placed []int // for each part that is written, the number of its pack among those that stay
	series, copies := map[string]bool{}, map[[2]string]int{}
	for n, k := range r.study.Packs {
		part := catalog.BundlePart{}
		if r.study.Hot != nil && n < len(r.study.Hot.Parts) {
			part = r.study.Hot.Parts[n]
		}
		if k.Class == r.class {
			list, err := instancesOf(ctx, p.Tiers, k, old, part)
			if err != nil {
				return fmt.Errorf("pack %s: its index: %w", k.Key, err)
			}
			r.gone = append(r.gone, DeletedObject{k.Key, k.Tier, k.Size, k.SHA256, list})
			continue
		}
		r.packs = append(r.packs, k)
		if k.Class == catalog.ClassFull || k.Class == catalog.ClassResult {
			x, err := indexOf(ctx, p.Tiers, k, old, part)
			if err != nil {
				return fmt.Errorf("pack %s: its index: %w", k.Key, err)
			}
			r.count(k, x, series, copies)
		}
		if part.Index[1] == 0 {
			continue // it has its index itself
		}
		blocks := make([][]byte, len(part.Blocks))
		for i, b := range part.Blocks {
			blocks[i] = cut(old, b)
		}
		if err := w.AddPart(cut(old, part.Index), blocks); err != nil {
			return err
		}
		placed = append(placed, len(r.packs)-1)
	}
	r.others()
	r.totals.Series = len(series)
	for _, c := range r.study.Conflicts {
		if copies[[2]string{c.SeriesUID, c.SOPUID}] > 1 {
			r.conflicts = append(r.conflicts, c)
		}
	}
	thumbs := map[string]string{} // plain names
	if r.study.Hot != nil && r.class != catalog.ClassPreview {
		for i, name := range slices.Sorted(maps.Keys(r.study.Hot.Thumbs)) {
			thumbs[name] = fmt.Sprintf("%03d", i)
			if err := w.AddThumb(thumbs[name], cut(old, r.study.Hot.Thumbs[name])); err != nil {
				return err
			}
		}
	}
	layout, err := w.Close()
	if err != nil || len(placed)+len(thumbs) == 0 {
		return err
	}
	return r.bundle(ctx, p, job, now, buf.Bytes(), layout, placed, thumbs)
}

// count adds a pack that stays to the totals.
func (r *remains) count(k catalog.Pack, x *pack.Index, series map[string]bool, copies map[[2]string]int) {
	r.totals.Instances, r.totals.Frames, r.totals.RawBytes = r.totals.Instances+k.Instances, r.totals.Frames+k.Frames, r.totals.RawBytes+k.RawBytes
	for i := range x.Instances {
		in := &x.Instances[i]
		series[in.SeriesUID] = true
		copies[[2]string{in.SeriesUID, in.SOPUID}]++
		if in.Reason != "" {
			r.totals.Passed++
		}
	}
}

// others adds what goes with a class beside its packs.
func (r *remains) others() {
	m := r.study
	if r.class == catalog.ClassResult {
		for _, a := range m.Annotations {
			r.gone = append(r.gone, DeletedObject{Key: a.Key, Bytes: a.Size, SHA256: a.SHA256})
		}
	}
	if r.class == catalog.ClassPreview && m.Regions != nil && m.Regions.Picture != nil {
		r.gone = append(r.gone, DeletedObject{Key: m.Regions.Picture.Key, Bytes: m.Regions.Picture.Size, SHA256: m.Regions.Picture.SHA256})
	}
}

// bundle stores the new hot bundle and reads it back.
func (r *remains) bundle(ctx context.Context, p *Purger, job catalog.Job, now time.Time, raw []byte, layout pack.Bundle, placed []int, thumbs map[string]string) error {
	key := catalog.HotKey(job.StudyKey, job.ID, job.Attempt)
	sum, err := putHot(ctx, p.Store, key, raw)
	if err != nil {
		return err
	}
	b := &catalog.Bundle{Key: key, Size: int64(len(raw)), SHA256: sum, Since: now, Parts: make([]catalog.BundlePart, len(r.packs)), Thumbs: map[string]catalog.Range{}}
	for i, part := range layout.Parts {
		at := &b.Parts[placed[i]]
		at.Index = catalog.Range(part.Index)
		for _, x := range part.Blocks {
			at.Blocks = append(at.Blocks, catalog.Range(x))
		}
	}
	for name, plain := range thumbs {
		b.Thumbs[name] = catalog.Range(layout.Thumbs[plain])
	}
	r.hot = b
	return nil
}

// putCertificate stores a certificate and reads it back.
func putCertificate(ctx context.Context, store objstore.Store, job catalog.Job, d *Deletion) (*catalog.Certificate, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	c := &catalog.Certificate{Key: catalog.CertificateKey(job.StudyKey, job.ID, job.Attempt), Size: int64(len(raw)), Class: d.Class, At: d.At, By: d.By, Rule: d.Rule, Plan: d.Plan, Erasure: d.Erasure != nil}
	for _, o := range d.Objects {
		c.Packs, c.Bytes = c.Packs+1, c.Bytes+o.Bytes
	}
	c.SHA256, err = putHot(ctx, store, c.Key, raw)
	return c, err
}

// ReadDeletion reads a certificate and checks its digest.
func ReadDeletion(ctx context.Context, store objstore.Store, c *catalog.Certificate) (*Deletion, error) {
	raw, err := objstore.ReadRange(ctx, store, c.Key, 0, c.Size)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if digestOf(raw) != c.SHA256 {
		return nil, fmt.Errorf("certificate %s: its SHA-256 differs from the manifest's: %w", c.Key, ErrVerify)
	}
	d := &Deletion{}
	if err := json.Unmarshal(raw, d); err != nil || d.Schema != DeletionSchema {
		return nil, errors.Join(fmt.Errorf("certificate %s: schema %.40q is not known to this version", c.Key, d.Schema), err)
	}
	return d, nil
}

// putHot stores an object in the hot tier, reads it back and returns its SHA-256 in hex.
func putHot(ctx context.Context, store objstore.Store, key string, raw []byte) (string, error) {
	sum := digestOf(raw)
	if _, err := store.Put(ctx, key, bytes.NewReader(raw), objstore.PutOptions{Size: int64(len(raw)), SHA256: sha256.Sum256(raw)}); err != nil {
		return "", err
	}
	return sum, check(ctx, store, catalog.Pack{Key: key, Size: int64(len(raw)), SHA256: sum})
}

// readBundle reads a hot bundle whole; nil if the study has none.
func readBundle(ctx context.Context, store objstore.Store, b *catalog.Bundle) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	raw, err := objstore.ReadRange(ctx, store, b.Key, 0, b.Size)
	if err != nil {
		return nil, fmt.Errorf("hot bundle: %w", err)
	}
	if got := digestOf(raw); got != b.SHA256 {
		return nil, fmt.Errorf("hot bundle %s has SHA-256 %s, must have %s: %w", b.Key, got, b.SHA256, ErrVerify)
	}
	return raw, nil
}

// cut is a range of a bundle; Validate has seen that it lies inside.
func cut(raw []byte, r catalog.Range) []byte { return raw[r[0] : r[0]+r[1]] }

// indexOf is the index of a pack, from the hot bundle or from the pack.
func indexOf(ctx context.Context, tiers Places, k catalog.Pack, bundle []byte, part catalog.BundlePart) (*pack.Index, error) {
	if part.Index[1] > 0 {
		return pack.DecodeIndex(cut(bundle, part.Index))
	}
	store, err := tiers.Tier(k.Tier)
	if err != nil {
		return nil, err
	}
	v, err := pack.OpenVolume(ctx, pack.StoreRanger(store, k.Key), k.Size)
	if err != nil {
		return nil, err
	}
	return v.Index, nil
}

// instancesOf lists the instances of a pack, for its certificate; preview packs have none of their own.
func instancesOf(ctx context.Context, tiers Places, k catalog.Pack, bundle []byte, part catalog.BundlePart) ([]DeletedInstance, error) {
	if k.Class == catalog.ClassPreview {
		return nil, nil
	}
	x, err := indexOf(ctx, tiers, k, bundle, part)
	if errors.Is(err, objstore.ErrArchived) { // the pack's key and digest say enough
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []DeletedInstance
	for i := range x.Instances {
		in := &x.Instances[i]
		d := DeletedInstance{SeriesUID: clean(in.SeriesUID), SOPUID: clean(in.SOPUID)}
		if in.FileSHA256 != (pack.Digest{}) {
			d.FileSHA256 = hex.EncodeToString(in.FileSHA256[:])
		}
		list = append(list, d)
	}
	return list, nil
}

// clean makes a received UID text that JSON keeps.
func clean(uid string) string { return strings.ToValidUTF8(uid, "\uFFFD") }
