package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/radtier/radtier/internal/objstore"
)

// RebuildOptions narrows a rebuild and says how it is done. The zero value
// rebuilds everything, in one listing per tenant, in the calling goroutine.
type RebuildOptions struct {
	Tenant string // "" is all
	// Shard is a part of every tenant: 1 or 2 hex digits that study hashes begin
	// with, or ShardQuarantine for the notes of quarantined files. "" is all of it.
	Shard string
	// Workers is how many of the 256 shards of a tenant are rebuilt at once; up to 1 does not split.
	Workers int
	// Restart forgets what an earlier rebuild of the same part did before it was stopped.
	Restart bool
	// Progress is called after every study and quarantined file, one call at a time; may be nil.
	Progress func(RebuildProgress)
}

// ShardQuarantine is the shard of the quarantine.
const ShardQuarantine = "q"

// RebuildReport is what a rebuild found. A person must look at the studies of the last three lists.
type RebuildReport struct {
	Studies     int // rows written from a published head
	Unpublished int // studies without any published manifest: their jobs were not acknowledged
	Quarantined int // files
	Instances   int
	Forks       []*ForkError
	Damaged     []*DamagedError
	Missing     []StudyKey // the catalog's head is not in the bucket; an older generation took its place if there is one
}

// RebuildProgress is how far a rebuild is.
type RebuildProgress struct {
	RebuildReport         // so far, what was done before it was resumed included
	Resumed       int     // studies that were done before
	Fraction      float64 // done of the whole, 0 to 1: hashes are uniform, and the shards of all tenants advance together
	ResumedAt     float64 // Fraction at the beginning
}

// Rebuild makes the rows of studies, holdings, intervals and quarantine from
// the bucket alone. A study's head is the published manifest of the highest generation. Into an
// empty catalog it brings back the rows that were lost; in one that is in use it heals every study. It deletes
// nothing in the bucket, and what it cannot decide it lists.
//
// A rebuild that was stopped, in whatever way, goes on where it was when it is called again for the same
// part with the same kind of Workers; one that ended begins anew. What was committed to a shard after it was marked as done is not
// missed: a commit through this catalog wrote the row itself, and any other study heals on contact, like
// every study of a catalog that is older than its bucket.
// Several rebuilds of different shards, on several machines too, may run at a time. The report is complete also after an error.
func Rebuild(ctx context.Context, db *DB, store objstore.Store, o RebuildOptions) (RebuildReport, error) {
	b := &rebuild{db: db, store: store, o: o}
	err := b.check()
	if err == nil {
		err = b.run(ctx)
	}
	if err != nil {
		err = fmt.Errorf("rebuild: %w", err)
	}
	return b.report(), err
}

type rebuild struct {
	db    *DB
	store objstore.Store
	o     RebuildOptions

	mu       sync.Mutex
	shards   []*shardRebuild
	progress RebuildProgress
}

func (b *rebuild) check() error {
	if b.o.Tenant != "" {
		if err := CheckTenant(b.o.Tenant); err != nil {
			return err
		}
	}
	if s := b.o.Shard; s != "" && s != ShardQuarantine && (len(s) > 2 || !isHex(s, len(s))) {
		return fmt.Errorf("shard %q: 1 or 2 digits 0-9 a-f that study hashes begin with, or %s for the quarantine", s, ShardQuarantine)
	}
	return nil
}

// report is all that was found, in the order of the shards' keys.
func (b *rebuild) report() RebuildReport {
	var r RebuildReport
	for _, s := range b.shards {
		r.add(s.found)
	}
	slices.SortFunc(r.Missing, func(a, c StudyKey) int { return strings.Compare(a.Prefix(), c.Prefix()) })
	return r
}

func (r *RebuildReport) add(s RebuildReport) {
	r.Studies += s.Studies
	r.Unpublished += s.Unpublished
	r.Quarantined += s.Quarantined
	r.Instances += s.Instances
	r.Forks = append(r.Forks, s.Forks...)
	r.Damaged = append(r.Damaged, s.Damaged...)
	r.Missing = append(r.Missing, s.Missing...)
}

func (b *rebuild) run(ctx context.Context) error {
	if b.o.Restart {
		if err := b.db.forgetMarks(ctx, b.o.Tenant, b.o.Shard); err != nil {
			return err
		}
	}
	tenants, err := b.tenants(ctx)
	if err != nil {
		return err
	}
	marks, err := b.db.marks(ctx, b.o.Tenant)
	if err != nil {
		return err
	}
	// The same shard of all tenants, then the next: what is done of the hashes is
	// done of the studies, however different the tenants are in size.
	for _, shard := range b.parts() {
		for _, tenant := range tenants {
			s := &shardRebuild{rebuild: b, tenant: tenant, shard: shard}
			s.resume(marks[markName{tenant, shard}])
			b.shards = append(b.shards, s)
		}
	}
	b.progress.RebuildReport = b.report()
	b.progress.Resumed = b.progress.Studies
	b.progress.Fraction = b.fraction()
	b.progress.ResumedAt = b.progress.Fraction
	if err := b.all(ctx); err != nil {
		return err
	}
	return b.db.forgetMarks(ctx, b.o.Tenant, b.o.Shard)
}

// parts lists the shards to do of each tenant.
func (b *rebuild) parts() []string {
	const digits = "0123456789abcdef"
	if b.o.Shard == ShardQuarantine {
		return []string{ShardQuarantine}
	}
	list := []string{b.o.Shard}
	if b.o.Workers > 1 || b.o.Shard != "" { // keys have folders of two digits
		for range 2 - len(b.o.Shard) {
			var longer []string
			for _, s := range list {
				for _, d := range digits {
					longer = append(longer, s+string(d))
				}
			}
			list = longer
		}
	}
	if b.o.Shard == "" {
		list = append(list, ShardQuarantine)
	}
	return list
}

// all runs the shards, several at a time.
func (b *rebuild) all(ctx context.Context) error {
	if b.o.Workers <= 1 {
		for _, s := range b.shards {
			if err := s.run(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan *shardRebuild)
	var workers sync.WaitGroup
	for range b.o.Workers {
		workers.Go(func() {
			for s := range todo {
				if err := s.run(ctx); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, s := range b.shards {
		if ctx.Err() != nil {
			break
		}
		select {
		case todo <- s:
		case <-ctx.Done():
		}
	}
	close(todo)
	workers.Wait()
	return context.Cause(ctx)
}

// tenants lists the tenants of the bucket and of the catalog. In the bucket it
// jumps from one to the next: '0' is the byte after the slash that ends a tenant's prefix.
func (b *rebuild) tenants(ctx context.Context) ([]string, error) {
	if b.o.Tenant != "" {
		return []string{b.o.Tenant}, nil
	}
	var list []string
	const root = "t/"
	for after, more := "", true; more; {
		more = false
		for info, err := range b.store.List(ctx, root, after) {
			if err != nil {
				return nil, err
			}
			tenant, rest, ok := strings.Cut(strings.TrimPrefix(info.Key, root), "/")
			more, after = true, info.Key
			if ok && CheckTenant(tenant) == nil && rest != "" {
				list = append(list, tenant)
				after = root + tenant + "0"
			}
			break
		}
	}
	known, err := b.db.tenantsOfStudies(ctx)
	if err != nil {
		return nil, err
	}
	list = append(list, known...)
	slices.Sort(list)
	return slices.Compact(list), nil
}

// fraction is how much of the hashes is done. The caller holds mu, or nobody else runs.
func (b *rebuild) fraction() float64 {
	var done float64
	n := 0
	for _, s := range b.shards {
		if s.shard == ShardQuarantine && b.o.Shard != ShardQuarantine {
			continue // small, and comes last
		}
		n++
		done += s.position
	}
	if n == 0 {
		return 0
	}
	return done / float64(n)
}

// advance notes that a shard got on. change runs under the lock, because reports read what it writes.
func (b *rebuild) advance(s *shardRebuild, delta RebuildReport, position float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.RebuildReport.add(delta)
	n := len(b.shards)
	if b.o.Shard == "" {
		n -= n / len(b.parts()) // the quarantine's are not counted
	}
	if n > 0 && (s.shard != ShardQuarantine || b.o.Shard == ShardQuarantine) {
		b.progress.Fraction += (position - s.position) / float64(n)
	}
	s.position = position
	if b.o.Progress != nil {
		b.o.Progress(b.progress)
	}
}
