package catalog

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// AuditEntry is one line of the audit log: who decided what, when. A decision is written as a row in its own transaction; sealing puts rows into chains in
// the bucket, one for each shard (first digit of the study's hash), whose lines name the SHA-256 of the line before. Nothing there is ever overwritten.
type AuditEntry struct {
	Number         int64     `json:"n"` // in its shard, from 1; 0: not sealed yet
	Prev           string    `json:"prev"`
	ID             string    `json:"id"` // of the decision
	At             time.Time `json:"at"`
	Actor          string    `json:"actor"`
	Action         string    `json:"action"`
	Tenant         string    `json:"tenant"`
	Study          string    `json:"study"` // hash
	Generation     int64     `json:"generation"`
	Job            string    `json:"job"`
	Attempt        int64     `json:"attempt"`
	Manifest       string    `json:"manifest"` // key; "" if nothing was written
	ManifestSHA256 string    `json:"manifest_sha256"`
	Note           string    `json:"note"`
}

// auditPrefix is what keys of the log begin with.
const auditPrefix = "audit/"

// auditRows is how many rows a segment has at most.
const auditRows = 5000

// maxSegment bounds a segment's bytes: notes have at most some kilobytes.
const maxSegment = 64 << 20

func segmentKey(shard string, first int64) string {
	return fmt.Sprintf("%s%s/%012d.jsonl", auditPrefix, shard, first)
}

// auditStart is what the first line of a shard names as the one before.
func auditStart(shard string) string { return digest([]byte("radtier.audit/1 " + shard)) }

const selectAudit = `SELECT number, id, at, actor, action, tenant, hash, generation, job, attempt, manifest_key, manifest_sha256, note FROM audit`

const selectAuditOf = selectAudit + ` WHERE tenant = ? AND hash = ? ORDER BY at`

func scanAudit(rows *sql.Rows) (e AuditEntry, err error) {
	var at int64
	err = rows.Scan(&e.Number, &e.ID, &at, &e.Actor, &e.Action, &e.Tenant, &e.Study, &e.Generation, &e.Job, &e.Attempt, &e.Manifest, &e.ManifestSHA256, &e.Note)
	e.At = fromMS(at)
	return e, err
}

func (c conn) auditEntries(ctx context.Context, q string, args ...any) (list []AuditEntry, err error) {
	rows, err := c.query(ctx, q, args...)
	err = each(rows, err, func(r *sql.Rows) error {
		e, err := scanAudit(r)
		list = append(list, e)
		return err
	})
	return list, err
}

// AuditOf lists the entries of a study, oldest first, sealed or not.
func (db *DB) AuditOf(ctx context.Context, k StudyKey) ([]AuditEntry, error) {
	list, err := db.reader().auditEntries(ctx, selectAuditOf, k.Tenant, k.Hash())
	slices.SortStableFunc(list, func(a, b AuditEntry) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Generation, b.Generation), strings.Compare(a.ID, b.ID))
	})
	return list, err
}

// SealAudit puts all rows that are in no chain yet into the bucket, and a root for the hour if there is none. Any number of processes may seal at once, and any of them may stop anywhere:
// numbers are given in the database first, so that whoever goes on writes the very same bytes. It returns how many rows it sealed.
func SealAudit(ctx context.Context, db *DB, store objstore.Store, hooks Hooks) (rows int64, err error) {
	for _, digit := range hashDigits {
		for {
			n, err := sealShard(ctx, db, store, string(digit), hooks)
			rows += n
			if err != nil {
				return rows, fmt.Errorf("audit, shard %c: %w", digit, err)
			}
			if n == 0 {
				break
			}
		}
	}
	if err := putRoot(ctx, db, store); err != nil {
		return rows, fmt.Errorf("audit, root: %w", err)
	}
	return rows, nil
}

// Steps of sealing at which hooks are called.
const (
	StepNumbered   = "audit-numbered"    // the rows of a segment have their numbers
	StepSegmentPut = "audit-segment-put" // it is in the bucket, the catalog does not know
)

// chain is a row of audit_chain.
type chain struct {
	last, pending int64
	sum           string
}

func (c conn) lockChain(ctx context.Context, shard string) (ch chain, err error) {
	if err := c.exec(ctx, `INSERT INTO audit_chain (shard, last, sum, pending) VALUES (?, 0, ?, 0) ON CONFLICT (shard) DO NOTHING`, shard, auditStart(shard)); err != nil {
		return ch, err
	}
	err = c.lock(ctx, `SELECT last, sum, pending FROM audit_chain WHERE shard = ?`, shard).Scan(&ch.last, &ch.sum, &ch.pending)
	return ch, err
}

// The rows of a shard that have no number yet, and those that have one.
const (
	selectLoose    = selectAudit + ` WHERE number = 0 AND hash >= ? AND hash < ? ORDER BY hash, id LIMIT ?`
	selectNumbered = selectAudit + ` WHERE number > ? AND number <= ? AND hash >= ? AND hash < ? ORDER BY number`
)

func sealShard(ctx context.Context, db *DB, store objstore.Store, shard string, hooks Hooks) (int64, error) {
	var ch chain
	err := db.change(ctx, func(tx conn) (err error) {
		if ch, err = tx.lockChain(ctx, shard); err != nil || ch.pending > ch.last {
			return err // another one gave the numbers, and may be gone
		}
		loose, err := tx.auditEntries(ctx, selectLoose, shard, shard+"g", auditRows)
		if err != nil || len(loose) == 0 {
			return err
		}
		for _, e := range loose {
			ch.pending++
			if err := tx.exec(ctx, `UPDATE audit SET number = ? WHERE tenant = ? AND hash = ? AND id = ?`, ch.pending, e.Tenant, e.Study, e.ID); err != nil {
				return err
			}
		}
		return tx.exec(ctx, `UPDATE audit_chain SET pending = ? WHERE shard = ?`, ch.pending, shard)
	})
	if err != nil || ch.pending == ch.last {
		return 0, err
	}
	if err := hooks.Step(ctx, StepNumbered); err != nil {
		return 0, err
	}
	list, err := db.reader().auditEntries(ctx, selectNumbered, ch.last, ch.pending, shard, shard+"g")
	if err != nil {
		return 0, err
	}
	raw, sum, err := segment(list, ch.sum)
	if err != nil {
		return 0, err
	}
	if int64(len(list)) != ch.pending-ch.last {
		return 0, fmt.Errorf("rows %d to %d of the log: %d are there", ch.last+1, ch.pending, len(list))
	}
	same, err := putOnce(ctx, store, segmentKey(shard, ch.last+1), raw)
	if err != nil {
		return 0, err
	}
	if !same { // the bucket knows more than this catalog, which was lost or put back
		return adopt(ctx, db, store, shard)
	}
	if err := hooks.Step(ctx, StepSegmentPut); err != nil {
		return 0, err
	}
	return int64(len(list)), db.change(ctx, func(tx conn) error {
		return tx.exec(ctx, `UPDATE audit_chain SET last = ?, sum = ? WHERE shard = ? AND last = ? AND pending = ?`, ch.pending, sum, shard, ch.last, ch.pending)
	})
}

// segment is the lines of a segment, and the sum of the last one.
func segment(list []AuditEntry, prev string) (raw []byte, sum string, err error) {
	var b bytes.Buffer
	for _, e := range list {
		e.Prev = prev
		line, err := json.Marshal(e)
		if err != nil {
			return nil, "", err
		}
		prev = digest(line)
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.Bytes(), prev, nil
}

// putOnce puts an object that nobody overwrites. same is false if another one is there already.
func putOnce(ctx context.Context, store objstore.Store, key string, raw []byte) (same bool, err error) {
	if _, err := store.Head(ctx, key); errors.Is(err, objstore.ErrNotFound) {
		if _, err := store.Put(ctx, key, bytes.NewReader(raw), objstore.PutOptions{Size: int64(len(raw)), SHA256: sha256.Sum256(raw)}); err != nil && !errors.Is(err, objstore.ErrExists) {
			return false, err
		}
	} else if err != nil {
		return false, err
	}
	back, err := objstore.ReadAll(ctx, store, key, maxSegment)
	return bytes.Equal(back, raw), err
}

// adopt takes over what the bucket has of a shard's chain beyond what the catalog knows, segment by segment. Rows that are in it get their numbers, others
// that had one lose it.
func adopt(ctx context.Context, db *DB, store objstore.Store, shard string) (rows int64, err error) {
	for {
		var ch chain
		if err := db.change(ctx, func(tx conn) (err error) { ch, err = tx.lockChain(ctx, shard); return err }); err != nil {
			return rows, err
		}
		list, sum, err := readSegment(ctx, store, shard, ch.last, ch.sum)
		if errors.Is(err, objstore.ErrNotFound) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		err = db.change(ctx, func(tx conn) error {
			now, err := tx.lockChain(ctx, shard)
			if err != nil || now.last != ch.last {
				return err // another one does the same
			}
			if err := tx.exec(ctx, `UPDATE audit SET number = 0 WHERE number > ? AND hash >= ? AND hash < ?`, ch.last, shard, shard+"g"); err != nil {
				return err
			}
			for _, e := range list {
				if err := tx.exec(ctx, `UPDATE audit SET number = ? WHERE tenant = ? AND hash = ? AND id = ?`, e.Number, e.Tenant, e.Study, e.ID); err != nil {
					return err
				}
			}
			last := list[len(list)-1].Number
			return tx.exec(ctx, `UPDATE audit_chain SET last = ?, sum = ?, pending = ? WHERE shard = ?`, last, sum, last, shard)
		})
		if err != nil {
			return rows, err
		}
		rows += int64(len(list))
	}
}

// AuditError says where the log is not what was sealed.
type AuditError struct {
	Key  string
	Line int // from 1; 0: the object as a whole
	What string
}

func (e *AuditError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("audit log: %s: %s", e.Key, e.What)
	}
	return fmt.Sprintf("audit log: %s, line %d: %s", e.Key, e.Line, e.What)
}

// readSegment reads and checks the segment that follows a number.
func readSegment(ctx context.Context, store objstore.Store, shard string, last int64, sum string) ([]AuditEntry, string, error) {
	key := segmentKey(shard, last+1)
	raw, err := objstore.ReadAll(ctx, store, key, maxSegment)
	if err != nil {
		return nil, "", err
	}
	var list []AuditEntry
	for n, line := range strings.SplitAfter(string(raw), "\n") {
		if line == "" {
			break
		}
		text, whole := strings.CutSuffix(line, "\n")
		var e AuditEntry
		switch err := json.Unmarshal([]byte(text), &e); {
		case err != nil || !whole:
			return nil, "", &AuditError{key, n + 1, "it is no whole entry"}
		case e.Prev != sum:
			return nil, "", &AuditError{key, n + 1, "it does not follow the line before: something was changed, left out or put in"}
		case e.Number != last+1 || !strings.HasPrefix(e.Study, shard):
			return nil, "", &AuditError{key, n + 1, fmt.Sprintf("it is entry %d of study %s, must be %d of shard %s", e.Number, e.Study, last+1, shard)}
		}
		sum, last = digest([]byte(text)), e.Number
		list = append(list, e)
	}
	if len(list) == 0 {
		return nil, "", &AuditError{key, 0, "it is empty"}
	}
	return list, sum, nil
}

// auditRoot says where all chains were at an hour. Roots are chained themselves.
type auditRoot struct {
	Schema string              `json:"schema"`
	Hour   string              `json:"hour"` // UTC, 2006010215
	Prev   string              `json:"prev"` // SHA-256 of the root before; "" of the first
	Shards map[string]rootLink `json:"shards"`
}

type rootLink struct {
	Last int64  `json:"last"`
	Sum  string `json:"sum"`
}

const (
	rootPrefix = auditPrefix + "roots/"
	rootSchema = "radtier.audit-root/1"
	maxRoot    = 64 << 10
)

// putRoot puts the root of this hour, if there is none.
func putRoot(ctx context.Context, db *DB, store objstore.Store) error {
	hour := db.now().UTC().Format("2006010215")
	var prev string
	for info, err := range store.List(ctx, rootPrefix, "") {
		if err != nil {
			return err
		}
		prev = info.Key
	}
	key := rootPrefix + hour + ".json"
	if prev >= key {
		return nil
	}
	r := auditRoot{Schema: rootSchema, Hour: hour, Shards: map[string]rootLink{}}
	if prev != "" {
		raw, err := objstore.ReadAll(ctx, store, prev, maxRoot)
		if err != nil {
			return err
		}
		r.Prev = digest(raw)
	}
	rows, err := db.reader().query(ctx, `SELECT shard, last, sum FROM audit_chain WHERE last > 0`)
	if err := each(rows, err, func(rows *sql.Rows) error {
		var shard string
		var l rootLink
		err := rows.Scan(&shard, &l.Last, &l.Sum)
		r.Shards[shard] = l
		return err
	}); err != nil {
		return err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = putOnce(ctx, store, key, raw) // another one may have put it at this moment: one is enough
	return err
}

// AuditReport is what was found in the log.
type AuditReport struct {
	Entries  int64    `json:"entries"`
	Segments int64    `json:"segments"`
	Roots    int64    `json:"roots"`
	Loose    int64    `json:"loose"` // rows that are not sealed yet
	Wrong    []string `json:"wrong"`
}

// VerifyAudit reads the whole log in the bucket and checks every chain, every root, and that the rows of the catalog say the same. What is wrong is in the
// report: of each shard the first place, since nothing after it can be trusted. The error is that of the store or the database. see, if set, is called with each entry.
func VerifyAudit(ctx context.Context, db *DB, store objstore.Store, see func(AuditEntry) error) (*AuditReport, error) {
	r := &AuditReport{Wrong: []string{}}
	roots, err := r.roots(ctx, store)
	if err != nil {
		return r, err
	}
	for _, digit := range hashDigits {
		err := r.shard(ctx, db, store, string(digit), roots[string(digit)], see)
		var wrong *AuditError
		if errors.As(err, &wrong) {
			r.Wrong = append(r.Wrong, wrong.Error())
		} else if err != nil {
			return r, err
		}
		var loose int64
		if err := db.reader().row(ctx, `SELECT COUNT(*) FROM audit WHERE number = 0 AND hash >= ? AND hash < ?`, string(digit), string(digit)+"g").Scan(&loose); err != nil {
			return r, err
		}
		r.Loose += loose
	}
	return r, nil
}

// roots checks the chain of roots, and returns what they say of each shard: sums by number.
func (r *AuditReport) roots(ctx context.Context, store objstore.Store) (map[string]map[int64]string, error) {
	out := map[string]map[int64]string{}
	prev := ""
	for info, err := range store.List(ctx, rootPrefix, "") {
		if err != nil {
			return nil, err
		}
		raw, err := objstore.ReadAll(ctx, store, info.Key, maxRoot)
		if err != nil {
			return nil, err
		}
		var root auditRoot
		if err := json.Unmarshal(raw, &root); err != nil || root.Schema != rootSchema || rootPrefix+root.Hour+".json" != info.Key {
			r.Wrong = append(r.Wrong, (&AuditError{info.Key, 0, "it is no root of the log"}).Error())
			prev = digest(raw)
			continue
		}
		if root.Prev != prev {
			r.Wrong = append(r.Wrong, (&AuditError{info.Key, 0, "it does not follow the root before"}).Error())
		}
		for shard, l := range root.Shards {
			if out[shard] == nil {
				out[shard] = map[int64]string{}
			}
			out[shard][l.Last] = l.Sum
		}
		prev = digest(raw)
		r.Roots++
	}
	return out, nil
}

func (r *AuditReport) shard(ctx context.Context, db *DB, store objstore.Store, shard string, roots map[int64]string, see func(AuditEntry) error) error {
	last, sum := int64(0), auditStart(shard)
	for {
		list, next, err := readSegment(ctx, store, shard, last, sum)
		if errors.Is(err, objstore.ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
		rows, err := db.reader().auditEntries(ctx, selectNumbered, last, list[len(list)-1].Number, shard, shard+"g")
		if err != nil {
			return err
		}
		if err := sameRows(segmentKey(shard, last+1), list, rows); err != nil {
			return err
		}
		for i, e := range list {
			at := next
			if i+1 < len(list) {
				at = list[i+1].Prev
			}
			if want, has := roots[e.Number]; has && want != at {
				return &AuditError{segmentKey(shard, last+1), i + 1, "a root says that this entry is another one"}
			}
			delete(roots, e.Number)
			if see != nil {
				if err := see(e); err != nil {
					return err
				}
			}
		}
		r.Entries, r.Segments = r.Entries+int64(len(list)), r.Segments+1
		last, sum = list[len(list)-1].Number, next
	}
	for number := range roots {
		return &AuditError{segmentKey(shard, last+1), 0, fmt.Sprintf("it is missing: a root names entry %d", number)}
	}
	var known int64
	if err := db.reader().row(ctx, `SELECT last FROM audit_chain WHERE shard = ?`, shard).Scan(&known); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if known > last {
		return &AuditError{segmentKey(shard, last+1), 0, fmt.Sprintf("it is missing: the catalog knows of entry %d", known)}
	}
	return nil
}

// sameRows compares lines with the catalog's rows; a catalog that was rebuilt has none of them.
func sameRows(key string, list, rows []AuditEntry) error {
	have := map[int64]AuditEntry{}
	for _, row := range rows {
		have[row.Number] = row
	}
	for i, e := range list {
		row, ok := have[e.Number]
		row.Prev, row.At, e.At = e.Prev, row.At.UTC(), e.At.UTC()
		if ok && row != e {
			return &AuditError{key, i + 1, "the catalog's row is another one"}
		}
	}
	return nil
}

// Audit yields the sealed entries, shard by shard.
func Audit(ctx context.Context, db *DB, store objstore.Store) iter.Seq2[AuditEntry, error] {
	return func(yield func(AuditEntry, error) bool) {
		for _, digit := range hashDigits {
			last, sum := int64(0), auditStart(string(digit))
			for {
				list, next, err := readSegment(ctx, store, string(digit), last, sum)
				if errors.Is(err, objstore.ErrNotFound) {
					break
				}
				if err != nil {
					yield(AuditEntry{}, err)
					return
				}
				for _, e := range list {
					if !yield(e, nil) {
						return
					}
				}
				last, sum = list[len(list)-1].Number, next
			}
		}
	}
}
