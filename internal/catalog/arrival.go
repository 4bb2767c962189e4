package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// SourceFile is one file of an arrival, pinned: whoever reads it checks that size and time (or ETag) still are these.
type SourceFile struct {
	Path      string    `json:"path"`
	Size      int64     `json:"size"` // bytes
	ModTime   time.Time `json:"mod_time,omitzero"`
	ETag      string    `json:"etag,omitempty"`
	SeriesUID string    `json:"series_uid,omitempty"`
	SOPUID    string    `json:"sop_uid,omitempty"`
	Number    int       `json:"number,omitempty"` // Instance Number (0020,0013), to sort by
	Group     int       `json:"group,omitempty"`  // files of one patient have one number; 0 if there is no patient id
	Kind      string    `json:"kind,omitempty"`   // "" is a DICOM file
}

// KindOfAnnotation is the SourceFile.Kind of a JSON annotation document.
const KindOfAnnotation = "annotation"

// After an arrival is committed, this happens to its source files.
const (
	AfterKeep   = "keep"
	AfterMove   = "move"                  // to Arrival.MoveTo, under the path they have below Source
	AfterDelete = "delete-when-committed" // only files that still are as pinned
)

// Arrival is a batch of source files of one study.
type Arrival struct {
	ID string // given by Enqueue
	StudyKey
	Seq      int64        // the study's want when it was queued, from 1
	Source   string       // root directory, or prefix in a bucket
	Files    []SourceFile // may be empty if Complete: no more is coming
	After    string       // "" is AfterKeep
	MoveTo   string       // with AfterMove: a directory
	Complete bool         // the sender says that the study is complete: do not wait for more
	Received time.Time
	// Batch is a digest of all that above, given by Arrivals; "" if the arrival has no files because a citation opened the study again.
	Batch string
}

// MaxBatches is how many digests of arrivals a manifest remembers; batchChars is how long each is.
const (
	MaxBatches = 256
	batchChars = 32
)

// Enqueue records an arrival and makes sure that the study has an open job,
// all in one transaction. The job is ready when no arrival has come for the
// quiet time, or at once if the arrival is Complete. The same batch again (same files, sizes and times) while it is
// still open is no new arrival. A job under way is not disturbed: it is queued again when it commits.
func (db *DB) Enqueue(ctx context.Context, a Arrival, quiet time.Duration) (Job, error) {
	if err := checkStudy(a.StudyKey); err != nil {
		return Job{}, err
	}
	if a.After == "" {
		a.After = AfterKeep
	}
	switch {
	case a.After != AfterKeep && a.After != AfterMove && a.After != AfterDelete:
		return Job{}, fmt.Errorf("arrival: after %q is not known: use %s, %s or %s", a.After, AfterKeep, AfterMove, AfterDelete)
	case (a.After == AfterMove) != (a.MoveTo != ""):
		return Job{}, fmt.Errorf("arrival: a directory to move to and after %q belong together", AfterMove)
	case len(a.Files) == 0 && !a.Complete:
		return Job{}, errors.New("arrival: it has no files")
	}
	blob, err := encodeFiles(a.Files)
	if err != nil {
		return Job{}, err
	}
	batch := a.digest()
	var job Job
	err = db.change(ctx, func(tx conn) error {
		now := db.now()
		ready := now
		if !a.Complete {
			ready = now.Add(max(quiet, 0))
		}
		hash := a.Hash()
		want, _, _, err := tx.lockStudy(ctx, a.StudyKey, now)
		if err != nil {
			return err
		}
		var same int64
		if err := tx.row(ctx, `SELECT COUNT(*) FROM arrival WHERE tenant = ? AND hash = ? AND digest = ?`, a.Tenant, hash, batch).Scan(&same); err != nil {
			return err
		}
		if same == 0 && len(a.Files) > 0 {
			want++
			var size int64
			for _, f := range a.Files {
				size += f.Size
			}
			if err := tx.exec(ctx, `INSERT INTO arrival (id, tenant, hash, seq, source, files, digest, instances, bytes, disposal, move_to, complete, received, ready_at)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, newID(now), a.Tenant, hash, want, escape(a.Source), blob, batch, len(a.Files), size,
				a.After, escape(a.MoveTo), flag(a.Complete), toMS(now), toMS(ready)); err != nil {
				return err
			}
			if err := tx.exec(ctx, `UPDATE study SET want = ? WHERE tenant = ? AND hash = ?`, want, a.Tenant, hash); err != nil {
				return err
			}
		} else if a.Complete {
			if err := tx.exec(ctx, `UPDATE arrival SET ready_at = ? WHERE tenant = ? AND hash = ? AND ready_at > ?`, toMS(now), a.Tenant, hash, toMS(now)); err != nil {
				return err
			}
		}
		if job, err = tx.lockOpenJob(ctx, a.Tenant, hash); errors.Is(err, ErrNoJob) {
			if same == 0 && len(a.Files) == 0 {
				return ErrNothingToDo
			}
			id := newID(now)
			if err := tx.exec(ctx, `INSERT INTO job (id, kind, tenant, hash, state, ready_at, created, updated) VALUES (?, 'derive', ?, ?, 'queued', ?, ?, ?)`,
				id, a.Tenant, hash, toMS(ready), toMS(now), toMS(now)); err != nil {
				return err
			}
			job, err = tx.job(ctx, id)
			return err
		} else if err != nil {
			return err
		}
		fresh := same == 0 && len(a.Files) > 0
		if job.State != JobQueued || !fresh && !(a.Complete && job.ReadyAt.After(now)) {
			job.Want = want
			return nil
		}
		if err := tx.exec(ctx, `UPDATE job SET ready_at = ?, claimed_until = 0, updated = ? WHERE id = ?`, toMS(ready), toMS(now), job.ID); err != nil {
			return err
		}
		job, err = tx.job(ctx, job.ID)
		return err
	})
	if err != nil {
		return Job{}, fmt.Errorf("enqueue: %w", err)
	}
	return job, nil
}

// ensureStudy makes the rows of the tenant and the study if they are new, and locks the study's.
func (c conn) ensureStudy(ctx context.Context, k StudyKey, now time.Time) error {
	_, _, _, err := c.lockStudy(ctx, k, now)
	return err
}

// lockStudy is ensureStudy; it returns the key of the head and the counts of arrivals.
func (c conn) lockStudy(ctx context.Context, k StudyKey, now time.Time) (want, done int64, head string, err error) {
	const q = `SELECT want, done, head_key FROM study WHERE tenant = ? AND hash = ?`
	hash := k.Hash()
	if err = c.lock(ctx, q, k.Tenant, hash).Scan(&want, &done, &head); !errors.Is(err, sql.ErrNoRows) {
		return want, done, head, err
	}
	if err = c.exec(ctx, `INSERT INTO tenant (name, created) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, k.Tenant, toMS(now)); err != nil {
		return 0, 0, "", err
	}
	if err = c.lockNew(ctx, k.Tenant, hash); err != nil {
		return 0, 0, "", err
	}
	if err = c.exec(ctx, `INSERT INTO study (tenant, hash, uid, status, created, updated) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, hash) DO NOTHING`,
		k.Tenant, hash, escape(k.UID), StatusNew, toMS(now), toMS(now)); err != nil {
		return 0, 0, "", err
	}
	err = c.lock(ctx, q, k.Tenant, hash).Scan(&want, &done, &head)
	return want, done, head, err
}

// lockNew locks a study that has no row: who makes its row waits, and so does who relies on its absence.
func (c conn) lockNew(ctx context.Context, tenant, hash string) error {
	if c.d.lockNew == "" {
		return nil
	}
	return c.exec(ctx, c.d.lockNew, tenant, hash)
}

// Arrivals returns the arrivals of a job's study that no commit covers yet, in
// the order they came, and the number that a commit of all of them sets the study's done to.
func (db *DB) Arrivals(ctx context.Context, jobID string) (list []Arrival, want int64, err error) {
	var k StudyKey
	var hash string
	err = db.reader().row(ctx, `SELECT s.tenant, s.hash, s.uid FROM job j JOIN study s ON s.tenant = j.tenant AND s.hash = j.hash WHERE j.id = ?`, jobID).Scan(&k.Tenant, &hash, &k.UID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("job %s: %w", jobID, ErrNoJob)
	}
	if err != nil {
		return nil, 0, err
	}
	k.UID = unescape(k.UID)
	rows, err := db.reader().query(ctx, `SELECT id, seq, source, files, digest, disposal, move_to, complete, received FROM arrival WHERE tenant = ? AND hash = ? ORDER BY seq`, k.Tenant, hash)
	err = each(rows, err, func(r *sql.Rows) error {
		a := Arrival{StudyKey: k}
		var blob []byte
		var complete, received int64
		if err := r.Scan(&a.ID, &a.Seq, &a.Source, &blob, &a.Batch, &a.After, &a.MoveTo, &complete, &received); err != nil {
			return err
		}
		a.Source, a.MoveTo, a.Complete, a.Received = unescape(a.Source), unescape(a.MoveTo), complete != 0, fromMS(received)
		if strings.HasPrefix(a.Batch, citedMark) {
			a.Batch = ""
		}
		if a.Files, err = decodeFiles(blob); err != nil {
			return fmt.Errorf("arrival %s: %w", a.ID, err)
		}
		list = append(list, a)
		want = max(want, a.Seq)
		return nil
	})
	return list, want, err
}

// digest identifies a batch: its files in any order, and what shall become of them.
func (a *Arrival) digest() string {
	pins := make([]string, len(a.Files))
	for i, f := range a.Files {
		pins[i] = fmt.Sprintf("%q %q %d %d", f.Path, f.ETag, f.Size, f.ModTime.UnixNano())
		if f.Kind != "" {
			pins[i] += " " + f.Kind
		}
	}
	slices.Sort(pins)
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q\n", a.Source, a.After, a.MoveTo)
	for _, p := range pins {
		fmt.Fprintln(h, p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// maxFilesBytes is the most that the list of an arrival's files may have, not compressed: some 4 million files.
const maxFilesBytes = 1 << 30

func encodeFiles(files []SourceFile) ([]byte, error) {
	esc := slices.Clone(files)
	for i := range esc {
		f := &esc[i]
		f.Path, f.ETag, f.SeriesUID, f.SOPUID = escape(f.Path), escape(f.ETag), escape(f.SeriesUID), escape(f.SOPUID)
	}
	raw, err := json.Marshal(esc)
	if err != nil {
		return nil, fmt.Errorf("arrival: %w", err)
	}
	if len(raw) > maxFilesBytes {
		return nil, fmt.Errorf("arrival: its list of %d files has %d bytes, the limit is %d: queue it in parts", len(files), len(raw), maxFilesBytes)
	}
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func decodeFiles(blob []byte) ([]SourceFile, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFilesBytes))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	raw, err := d.DecodeAll(blob, nil)
	if err != nil {
		return nil, fmt.Errorf("list of files: %w", err)
	}
	var files []SourceFile
	if err := json.Unmarshal(raw, &files); err != nil {
		return nil, fmt.Errorf("list of files: %w", err)
	}
	for i := range files {
		f := &files[i]
		f.Path, f.ETag, f.SeriesUID, f.SOPUID = unescape(f.Path), unescape(f.ETag), unescape(f.SeriesUID), unescape(f.SOPUID)
	}
	return files, nil
}
