package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// What is due: leases that ran out, and of each tenant the head of its queue.
const (
	selectExpired = selectJob + ` WHERE j.state = 'running' AND j.lease_until <= ? ORDER BY j.lease_until LIMIT ?`
	selectTenants = `WITH RECURSIVE t (name) AS (
			SELECT (SELECT MIN(tenant) FROM job WHERE state = 'queued')
			UNION ALL
			SELECT (SELECT MIN(tenant) FROM job WHERE state = 'queued' AND tenant > t.name) FROM t WHERE t.name IS NOT NULL
		) SELECT name FROM t WHERE name IS NOT NULL`
	selectQueued = selectJob + ` WHERE j.tenant = ? AND j.state = 'queued' AND j.ready_at <= ? ORDER BY j.ready_at, j.id LIMIT ?`
)

// What can be claimed: the same without what is claimed, and claims that ran out. The rows are locked.
const (
	claimExpired = `SELECT id FROM job WHERE state = 'running' AND lease_until <= ? AND claimed_until <= ? ORDER BY lease_until LIMIT ?`
	claimLost    = `SELECT id FROM job WHERE state = 'queued' AND claimed_until > 0 AND claimed_until <= ? AND ready_at <= ? ORDER BY claimed_until LIMIT ?`
	claimTenants = `WITH RECURSIVE t (name) AS (
			SELECT (SELECT MIN(tenant) FROM job WHERE state = 'queued' AND claimed_until = 0)
			UNION ALL
			SELECT (SELECT MIN(tenant) FROM job WHERE state = 'queued' AND claimed_until = 0 AND tenant > t.name) FROM t WHERE t.name IS NOT NULL
		) SELECT name FROM t WHERE name IS NOT NULL`
	claimQueued = `SELECT id FROM job WHERE tenant = ? AND state = 'queued' AND claimed_until = 0 AND ready_at <= ? ORDER BY ready_at, id LIMIT ?`
)

// Due returns at most limit jobs that a worker should take: queued and ready,
// or running under a lease that has expired, claimed or not. Tenants take turns, and within a tenant the oldest
// ready job is first, so that one tenant's backlog does not keep others waiting. It changes nothing: to fill a queue, use Claim.
func (db *DB) Due(ctx context.Context, limit int) ([]Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	c, now := db.reader(), toMS(db.now())
	expired, err := c.jobs(ctx, selectExpired, now, limit)
	if err != nil {
		return nil, err
	}
	lines := map[string][]Job{}
	for _, j := range expired {
		lines[j.Tenant] = append(lines[j.Tenant], j)
	}
	tenants, err := c.names(ctx, selectTenants)
	if err != nil {
		return nil, err
	}
	if err := heads(tenants, limit, lines, func(tenant string, most int) ([]Job, error) {
		return c.jobs(ctx, selectQueued, tenant, now, most)
	}); err != nil {
		return nil, err
	}
	return takeTurns(lines, int(db.turn.Add(1)-1), limit), nil
}

// Claim is Due for those who fill a queue: what it returns is marked as handed
// out until now + hold, and no Claim of any process returns it before, unless Own, Release, Reopen, Commit or a new arrival
// clear the mark. A job that nobody has owned when the hold is over was lost by the queue and can be
// claimed again. Who finds nothing may find more a moment later: what others look at is passed over.
// Errors are those of the database; what a lost reply had claimed is returned, or free again after the hold.
func (db *DB) Claim(ctx context.Context, limit int, hold time.Duration) ([]Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	if hold < time.Millisecond {
		return nil, fmt.Errorf("claim: the hold is %v, must be 1 ms or more", hold)
	}
	turn, claim := int(db.turn.Add(1)-1), newID(db.now())
	var out, before []Job
	err := db.change(ctx, func(tx conn) (err error) {
		now := db.now()
		if tx.again {
			if out, err = tx.claimed(ctx, before, claim); err != nil || len(out) > 0 {
				return err
			}
		}
		if out, err = tx.claimable(ctx, turn, limit, toMS(now)); err != nil {
			return err
		}
		until := now.Add(hold)
		for chunk := range slices.Chunk(out, 500) {
			args := []any{claim, toMS(until)}
			for i := range chunk {
				args = append(args, chunk[i].ID)
				chunk[i].ClaimedUntil = fromMS(toMS(until))
			}
			if err := tx.exec(ctx, `UPDATE job SET claim = ?, claimed_until = ? WHERE id IN (?`+strings.Repeat(", ?", len(chunk)-1)+`)`, args...); err != nil {
				return err
			}
		}
		before = out
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return out, nil
}

// claimed returns those of a list that a claim has.
func (c conn) claimed(ctx context.Context, list []Job, claim string) ([]Job, error) {
	var out []Job
	for _, j := range list {
		var got string
		err := c.lock(ctx, `SELECT claim FROM job WHERE id = ? AND claimed_until > 0`, j.ID).Scan(&got)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		if err == nil && got == claim {
			out = append(out, j)
		}
	}
	return out, nil
}

// claimable locks and returns at most limit jobs that nobody has claimed, by turns of their tenants.
func (c conn) claimable(ctx context.Context, turn, limit int, now int64) ([]Job, error) {
	lines := map[string][]Job{}
	for _, q := range []string{claimExpired, claimLost} {
		list, err := c.claimJobs(ctx, q, now, now, limit)
		if err != nil {
			return nil, err
		}
		for _, j := range list {
			lines[j.Tenant] = append(lines[j.Tenant], j)
		}
	}
	tenants, err := c.names(ctx, claimTenants)
	if err != nil {
		return nil, err
	}
	if err := heads(tenants, limit, lines, func(tenant string, most int) ([]Job, error) {
		return c.claimJobs(ctx, claimQueued, tenant, now, most)
	}); err != nil {
		return nil, err
	}
	return takeTurns(lines, turn, limit), nil
}

// claimJobs locks the rows that q finds and others have not locked, and returns their jobs.
func (c conn) claimJobs(ctx context.Context, q string, args ...any) ([]Job, error) {
	ids, err := c.names(ctx, q+c.d.skipLocked, args...)
	if err != nil {
		return nil, err
	}
	var list []Job
	for chunk := range slices.Chunk(ids, 500) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = id
		}
		part, err := c.jobs(ctx, selectJob+` WHERE j.id IN (?`+strings.Repeat(", ?", len(chunk)-1)+`)`, args...)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	return list, nil
}

func (c conn) jobs(ctx context.Context, q string, args ...any) (list []Job, err error) {
	rows, err := c.query(ctx, q, args...)
	err = each(rows, err, func(r *sql.Rows) error {
		j, err := scanJob(r)
		list = append(list, j)
		return err
	})
	return list, err
}

func (c conn) names(ctx context.Context, q string, args ...any) (list []string, err error) {
	rows, err := c.query(ctx, q, args...)
	err = each(rows, err, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		list = append(list, name)
		return err
	})
	return list, err
}

// heads adds to each tenant's line the head of its queue, long enough that
// taking turns gives limit jobs: an equal share of each, then more of those that have more.
func heads(tenants []string, limit int, lines map[string][]Job, read func(tenant string, most int) ([]Job, error)) error {
	fixed := map[string][]Job{} // what is in the lines already
	for _, t := range tenants {
		fixed[t] = lines[t]
	}
	total := 0
	for share := limit/max(1, len(tenants)) + 1; len(tenants) > 0 && total < limit; share = min(2*share, limit) {
		var longer []string // than what was read
		for _, t := range tenants {
			line, err := read(t, share)
			if err != nil {
				return err
			}
			total += len(fixed[t]) + len(line) - len(lines[t])
			lines[t] = append(slices.Clip(fixed[t]), line...)
			if len(line) == share && share < limit {
				longer = append(longer, t)
			}
		}
		tenants = longer
	}
	return nil
}

// takeTurns takes at most limit jobs from the lines, one of each tenant in turn, the oldest of each first.
func takeTurns(byTenant map[string][]Job, turn, limit int) []Job {
	var lines [][]Job // one per tenant that has any
	for _, t := range slices.Sorted(maps.Keys(byTenant)) {
		line := byTenant[t]
		if len(line) == 0 {
			continue
		}
		slices.SortFunc(line, func(a, b Job) int {
			if c := a.ReadyAt.Compare(b.ReadyAt); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	first := int(uint(turn) % uint(len(lines)))
	var out []Job
	for rank := 0; len(out) < limit; rank++ {
		none := true
		for i := range lines {
			if line := lines[(first+i)%len(lines)]; rank < len(line) && len(out) < limit {
				out = append(out, line[rank])
				none = false
			}
		}
		if none {
			break
		}
	}
	return out
}
