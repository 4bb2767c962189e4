package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// MaxManifestBytes is the most that a manifest may have. A study of 50 series in 10 generations has some 20 kB.
const MaxManifestBytes = 16 << 20

// Encode returns the bytes of a manifest: JSON, one line. Equal manifests have equal bytes.
func (m *Manifest) Encode() ([]byte, error) {
	c := *m
	c.eachUID(escape)
	if c.Packs == nil {
		c.Packs = []Pack{}
	}
	raw, err := json.Marshal(&c)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	raw = append(raw, '\n')
	if len(raw) > MaxManifestBytes {
		return nil, fmt.Errorf("manifest of study %s: has %d bytes, the limit is %d", c.StudyUID, len(raw), MaxManifestBytes)
	}
	return raw, nil
}

// DecodeManifest reads what Encode wrote. Fields that it does not know are
// ignored, so that a later version may add some; another schema is an error.
func DecodeManifest(raw []byte) (*Manifest, error) {
	if len(raw) > MaxManifestBytes {
		return nil, fmt.Errorf("manifest has %d bytes, the limit is %d", len(raw), MaxManifestBytes)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest is not the JSON it should be: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("manifest has bytes after its end")
	}
	if m.Schema != ManifestSchema {
		return nil, fmt.Errorf("manifest has schema %.40q, this program reads %q", m.Schema, ManifestSchema)
	}
	m.eachUID(unescape)
	return m, nil
}

// eachUID replaces every UID; slices and maps that hold some are replaced, so a shallow copy may be changed.
func (m *Manifest) eachUID(f func(string) string) {
	m.StudyUID = f(m.StudyUID)
	m.Quarantined = slices.Clone(m.Quarantined)
	for i := range m.Quarantined {
		m.Quarantined[i].SOPUID = f(m.Quarantined[i].SOPUID)
	}
	if m.Erase != nil {
		e := *m.Erase
		e.SOPUIDs, e.Quarantined = slices.Clone(e.SOPUIDs), slices.Clone(e.Quarantined)
		for i := range e.SOPUIDs {
			e.SOPUIDs[i] = f(e.SOPUIDs[i])
		}
		for i := range e.Quarantined {
			e.Quarantined[i].SOPUID = f(e.Quarantined[i].SOPUID)
		}
		m.Erase = &e
	}
	m.Withdrawn = slices.Clone(m.Withdrawn)
	for i := range m.Withdrawn {
		w := &m.Withdrawn[i]
		w.SeriesUID, w.SOPUID = f(w.SeriesUID), f(w.SOPUID)
	}
	m.Conflicts = slices.Clone(m.Conflicts)
	for i := range m.Conflicts {
		c := &m.Conflicts[i]
		c.SeriesUID, c.SOPUID = f(c.SeriesUID), f(c.SOPUID)
	}
	m.Annotations = slices.Clone(m.Annotations)
	for i := range m.Annotations {
		m.Annotations[i].DocumentID = f(m.Annotations[i].DocumentID)
	}
	m.Cites = slices.Clone(m.Cites)
	for i := range m.Cites {
		c := &m.Cites[i]
		c.StudyUID, c.SOPUIDs = f(c.StudyUID), slices.Clone(c.SOPUIDs)
		for j := range c.SOPUIDs {
			c.SOPUIDs[j] = f(c.SOPUIDs[j])
		}
	}
	m.CitedBy = slices.Clone(m.CitedBy)
	for i := range m.CitedBy {
		m.CitedBy[i].StudyUID = f(m.CitedBy[i].StudyUID)
	}
	if m.Hot != nil && m.Hot.Thumbs != nil {
		hot := *m.Hot
		hot.Thumbs = make(map[string]Range, len(m.Hot.Thumbs))
		for name, r := range m.Hot.Thumbs {
			hot.Thumbs[f(name)] = r
		}
		m.Hot = &hot
	}
}

// Objects calls f for every object that the manifest names: packs, the hot bundle, the region record, annotations. Without a tier they are in the hot one.
func (m *Manifest) Objects(f func(key string, class Class, tier string, bytes int64)) {
	m.objects(func(key string, class Class, tier string, bytes int64, _ time.Time) { f(key, class, tier, bytes) })
}

// objects is Objects with the time that each was put. The region record is of the hot bundle's class: it tells what may expire, so it stays as long as anything.
func (m *Manifest) objects(f func(key string, class Class, tier string, bytes int64, since time.Time)) {
	for _, p := range m.Packs {
		f(p.Key, p.Class, p.Tier, p.Size, p.Since)
	}
	if h := m.Hot; h != nil {
		f(h.Key, ClassHot, "", h.Size, h.Since)
	}
	if r := m.Regions; r != nil {
		f(r.Key, ClassHot, "", r.Size, r.Since)
		if p := r.Picture; p != nil {
			f(p.Key, ClassPreview, "", p.Size, r.Since)
		}
	}
	for _, a := range m.Annotations {
		f(a.Key, ClassResult, "", a.Size, a.At)
	}
	for _, c := range m.Certificates {
		f(c.Key, ClassHot, "", c.Size, c.At)
	}
}

// LoadManifest reads a manifest, checks its digest if ref has one, and every
// rule of Validate. Broken ones are a *DamagedError, a missing one is an objstore.ErrNotFound.
func LoadManifest(ctx context.Context, store objstore.Store, ref Ref) (*Manifest, error) {
	m, _, err := loadManifest(ctx, store, ref)
	return m, err
}

func loadManifest(ctx context.Context, store objstore.Store, ref Ref) (*Manifest, Ref, error) {
	raw, err := objstore.ReadAll(ctx, store, ref.Key, MaxManifestBytes)
	if err != nil {
		return nil, ref, fmt.Errorf("manifest %s: %w", ref.Key, err)
	}
	sum := digest(raw)
	if ref.SHA256 != "" && sum != ref.SHA256 {
		return nil, ref, &DamagedError{ref.Key, fmt.Sprintf("its SHA-256 is %s, must be %s", sum, ref.SHA256)}
	}
	ref.SHA256 = sum
	m, err := DecodeManifest(raw)
	if err != nil {
		return nil, ref, &DamagedError{ref.Key, err.Error()}
	}
	if err := m.Validate(); err != nil {
		return nil, ref, &DamagedError{ref.Key, err.Error()}
	}
	if own := m.Key(); own != ref.Key {
		return nil, ref, &DamagedError{ref.Key, "it says that its key is " + own}
	}
	return m, ref, nil
}

// Study is the key of the manifest's study.
func (m *Manifest) Study() StudyKey { return StudyKey{m.Tenant, m.StudyUID} }

// Key is the key under which the manifest is stored.
func (m *Manifest) Key() string { return ManifestKey(m.Study(), m.Generation, m.Job, m.Attempt) }

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
