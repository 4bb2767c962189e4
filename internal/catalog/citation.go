package catalog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Citation says that documents of another study refer to images of this one.
type Citation struct {
	StudyUID   string // of the study that refers
	Generation int64  // of its head
	Evidence   string // digest of what it says: Cite.Digest
}

// CitedBy is a citation that a study's plan has looked at.
type CitedBy struct {
	StudyUID string `json:"study_uid"`
	Evidence string `json:"evidence"`
}

// citeChars is the length of a digest of a citation.
const citeChars = 32

// Digest identifies what a citation says.
func (c Cite) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", c.Evidence)
	for _, s := range c.SOPUIDs {
		fmt.Fprintf(h, "%q\n", s)
	}
	return hex.EncodeToString(h.Sum(nil)[:citeChars/2])
}

// Citations returns who refers to images of a study, by the study's UID; never nil without an error. The study need not be here yet: citations wait for it.
func (db *DB) Citations(ctx context.Context, k StudyKey) ([]Citation, error) {
	list := []Citation{}
	rows, err := db.reader().query(ctx, `SELECT uid, generation, evidence FROM citation WHERE tenant = ? AND hash = ? AND evidence <> '' ORDER BY citing`, k.Tenant, k.Hash())
	err = each(rows, err, func(r *sql.Rows) error {
		var c Citation
		err := r.Scan(&c.StudyUID, &c.Generation, &c.Evidence)
		c.StudyUID = unescape(c.StudyUID)
		list = append(list, c)
		return err
	})
	slices.SortFunc(list, func(a, b Citation) int { return strings.Compare(a.StudyUID, b.StudyUID) })
	return list, err
}

// citedBy is what a manifest says of the citations that an attempt has looked at.
func citedBy(list []Citation) []CitedBy {
	var out []CitedBy
	for _, c := range list {
		out = append(out, CitedBy{c.StudyUID, c.Evidence})
	}
	slices.SortFunc(out, func(a, b CitedBy) int { return strings.Compare(a.StudyUID, b.StudyUID) })
	return out
}

// cited is what rows say of the studies that a study refers to: digests by hash.
func (c conn) cited(ctx context.Context, tenant, citing string) (map[string]string, error) {
	have := map[string]string{}
	rows, err := c.query(ctx, `SELECT hash, evidence FROM citation WHERE tenant = ? AND citing = ? AND evidence <> ''`, tenant, citing)
	err = each(rows, err, func(r *sql.Rows) error {
		var hash, evidence string
		err := r.Scan(&hash, &evidence)
		have[hash] = evidence
		return err
	})
	return have, err
}

// cites is what a manifest says of the studies that it refers to: digests by hash.
func (m *Manifest) cites() map[string]string {
	if len(m.Cites) == 0 {
		return nil
	}
	say := map[string]string{}
	for _, c := range m.Cites {
		say[StudyKey{m.Tenant, c.StudyUID}.Hash()] = c.Digest()
	}
	return say
}

// lockCited locks, with lock for the study itself, all studies of which m says something else than the rows: in the order of their hashes,
// so that two studies that refer to each other do not wait for each other. Of a study that is not here its absence is locked: whoever
// makes its row waits, and finds the citation. m may be nil.
func (c conn) lockCited(ctx context.Context, m *Manifest, own string, lock func() error) error {
	hashes := []string{own}
	if m != nil {
		have, err := c.cited(ctx, m.Tenant, own)
		if err != nil {
			return err
		}
		hashes = append(hashes, differing(have, m.cites())...)
	}
	slices.Sort(hashes)
	for _, hash := range hashes {
		if hash == own {
			if err := lock(); err != nil {
				return err
			}
			continue
		}
		if err := c.lockAbsent(ctx, m.Tenant, hash); err != nil {
			return err
		}
	}
	return nil
}

// lockAbsent locks a study, or that it is not there.
func (c conn) lockAbsent(ctx context.Context, tenant, hash string) error {
	var want int64
	const q = `SELECT want FROM study WHERE tenant = ? AND hash = ?`
	err := c.lock(ctx, q, tenant, hash).Scan(&want)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := c.lockNew(ctx, tenant, hash); err != nil {
		return err
	}
	if err = c.lock(ctx, q, tenant, hash).Scan(&want); errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// differing lists, sorted, the keys that two maps do not have with one value.
func differing(a, b map[string]string) []string {
	var out []string
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			out = append(out, k)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// setCitations writes what a head says of the studies that it refers to and of the citations that it has looked at, and re-opens every
// study of which it says something new that its plan has not seen. lockCited has locked them.
func (c conn) setCitations(ctx context.Context, m *Manifest, now time.Time) error {
	own := m.Study().Hash()
	if err := c.setSeen(ctx, m, own); err != nil {
		return err
	}
	have, err := c.cited(ctx, m.Tenant, own)
	if err != nil {
		return err
	}
	say := m.cites()
	for _, hash := range differing(have, say) {
		if err := c.exec(ctx, `INSERT INTO citation (tenant, hash, citing, uid, evidence) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (tenant, hash, citing) DO UPDATE SET evidence = excluded.evidence`, m.Tenant, hash, own, escape(m.StudyUID), say[hash]); err != nil {
			return err
		}
		var seen string
		if err := c.row(ctx, `SELECT seen FROM citation WHERE tenant = ? AND hash = ? AND citing = ?`, m.Tenant, hash, own).Scan(&seen); err != nil {
			return err
		}
		if seen != say[hash] {
			if err := c.reopenCited(ctx, m.Tenant, hash, own, now); err != nil {
				return err
			}
		}
	}
	if len(have)+len(say) == 0 {
		return nil
	}
	if err := c.exec(ctx, `UPDATE citation SET generation = ? WHERE tenant = ? AND citing = ? AND evidence <> ''`, m.Generation, m.Tenant, own); err != nil {
		return err
	}
	return c.exec(ctx, `DELETE FROM citation WHERE tenant = ? AND citing = ? AND evidence = '' AND seen = ''`, m.Tenant, own)
}

// setSeen writes which citations the plan of a head has looked at.
func (c conn) setSeen(ctx context.Context, m *Manifest, own string) error {
	if err := c.exec(ctx, `UPDATE citation SET seen = '' WHERE tenant = ? AND hash = ? AND seen <> ''`, m.Tenant, own); err != nil {
		return err
	}
	for _, by := range m.CitedBy {
		citing := StudyKey{m.Tenant, by.StudyUID}.Hash()
		if err := c.exec(ctx, `INSERT INTO citation (tenant, hash, citing, uid, seen) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (tenant, hash, citing) DO UPDATE SET seen = excluded.seen`, m.Tenant, own, citing, escape(by.StudyUID), by.Evidence); err != nil {
			return err
		}
	}
	return c.exec(ctx, `DELETE FROM citation WHERE tenant = ? AND hash = ? AND evidence = '' AND seen = ''`, m.Tenant, own)
}

// citedMark begins the digest of an arrival without files that a citation made.
const citedMark = "cited-by-"

// reopenCited opens a study again because another one says something new of it: an arrival without source files. A study that is not
// here, or was never worked on, needs none: its first attempt finds the citation.
func (c conn) reopenCited(ctx context.Context, tenant, hash, citing string, now time.Time) error {
	var want, generation int64
	err := c.row(ctx, `SELECT want, generation FROM study WHERE tenant = ? AND hash = ?`, tenant, hash).Scan(&want, &generation)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = c.lockOpenJob(ctx, tenant, hash)
	none := errors.Is(err, ErrNoJob)
	if err != nil && !none {
		return err
	}
	if none && generation == 0 {
		return nil
	}
	blob, err := encodeFiles(nil)
	if err != nil {
		return err
	}
	want++
	// One that waits already may be covered by an attempt that began before: it is replaced by a later one.
	if err := c.exec(ctx, `DELETE FROM arrival WHERE tenant = ? AND hash = ? AND digest = ?`, tenant, hash, citedMark+citing); err != nil {
		return err
	}
	if err := c.exec(ctx, `INSERT INTO arrival (id, tenant, hash, seq, source, files, digest, instances, bytes, disposal, move_to, complete, received, ready_at)
		VALUES (?, ?, ?, ?, '', ?, ?, 0, 0, ?, '', 1, ?, ?)`, newID(now), tenant, hash, want, blob, citedMark+citing, AfterKeep, toMS(now), toMS(now)); err != nil {
		return err
	}
	if err := c.exec(ctx, `UPDATE study SET want = ? WHERE tenant = ? AND hash = ?`, want, tenant, hash); err != nil {
		return err
	}
	if !none {
		return nil // queued: it will look; running: it is queued again when it commits
	}
	return c.exec(ctx, `INSERT INTO job (id, kind, tenant, hash, state, ready_at, created, updated) VALUES (?, 'derive', ?, ?, 'queued', ?, ?, ?)`,
		newID(now), tenant, hash, toMS(now), toMS(now), toMS(now))
}

// reopenUnseen opens a study again whose head has not seen all that others say of it. Heal and Rebuild call it: in a catalog that lost the arrival that a
// citation had made, the study would not be looked at again.
func (c conn) reopenUnseen(ctx context.Context, tenant, hash string, now time.Time) error {
	citing, err := c.names(ctx, `SELECT citing FROM citation WHERE tenant = ? AND hash = ? AND evidence <> '' AND evidence <> seen ORDER BY citing`, tenant, hash)
	if err != nil {
		return err
	}
	for _, by := range citing {
		var waits int64
		if err := c.row(ctx, `SELECT COUNT(*) FROM arrival WHERE tenant = ? AND hash = ? AND digest = ?`, tenant, hash, citedMark+by).Scan(&waits); err != nil {
			return err
		}
		if waits > 0 {
			continue
		}
		if err := c.reopenCited(ctx, tenant, hash, by, now); err != nil {
			return err
		}
	}
	return nil
}
