package catalog

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func benchDB(b *testing.B) *DB {
	db, err := Open(b.Context(), Config{DSN: filepath.Join(b.TempDir(), "catalog.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

// BenchmarkJob is the catalog's part of one study without its commit: queue, own, give back; each is a durable transaction.
func BenchmarkJob(b *testing.B) {
	db := benchDB(b)
	files := make([]SourceFile, 600)
	for i := range files {
		files[i] = SourceFile{Path: fmt.Sprintf("/in/series/%06d.dcm", i), Size: 524288 + int64(i), ModTime: testTime, SeriesUID: "1.2.826.0.1.3680043.2.1125.1", SOPUID: fmt.Sprint("1.2.826.0.1.3680043.2.1125.1.", i)}
	}
	for i := 0; b.Loop(); i++ {
		job, err := db.Enqueue(b.Context(), Arrival{StudyKey: StudyKey{"north", fmt.Sprint(i)}, Files: files, Complete: true}, 0)
		if err != nil {
			b.Fatal(err)
		}
		if job, err = db.Own(b.Context(), job.ID, "w", time.Minute); err != nil {
			b.Fatal(err)
		}
		if err := db.Release(b.Context(), job.ID, job.Attempt, Requeue("bench")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDue asks for 1,000 jobs of 200,000 that are queued, by 20 tenants, half of them not ready.
func BenchmarkDue(b *testing.B) {
	db := benchDB(b)
	if err := db.change(b.Context(), func(tx conn) error {
		now := db.now()
		for i := range 200_000 {
			k := StudyKey{fmt.Sprint("t", i%20), fmt.Sprint(i)}
			if i < 20 {
				if err := tx.exec(b.Context(), `INSERT INTO tenant (name, created) VALUES (?, 0)`, k.Tenant); err != nil {
					return err
				}
			}
			if err := tx.exec(b.Context(), `INSERT INTO study (tenant, hash, part, uid, status, created, updated) VALUES (?, ?, 0, ?, 'new', 0, 0)`, k.Tenant, k.Hash(), k.UID); err != nil {
				return err
			}
			ready := now.Add(time.Duration(i-100_000) * time.Second)
			if err := tx.exec(b.Context(), `INSERT INTO job (id, kind, tenant, hash, state, ready_at, created, updated) VALUES (?, 'derive', ?, ?, 'queued', ?, 0, 0)`, newID(now), k.Tenant, k.Hash(), toMS(ready)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if list, err := db.Due(b.Context(), 1000); err != nil || len(list) != 1000 {
			b.Fatal(len(list), err)
		}
	}
}
