package catalog

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// shardRebuild rebuilds one shard of one tenant, front to back. The bucket's
// listing and the catalog's rows are both sorted by hash, so they are compared as they
// pass by, and nothing is held in memory but one study's listing and a page of rows.
type shardRebuild struct {
	*rebuild
	tenant, shard string

	found    RebuildReport
	after    string // keys up to here are done
	done     bool
	position float64 // how much of the shard is done, 0 to 1
	unsaved  int     // studies and files since the last mark
	begun    bool    // a mark says that the shard was begun
	known    []knownHead
	knownTo  string // hash of the last row that was read of the catalog
	knownAll bool
}

// knownHead is a row of the catalog that has a head.
type knownHead struct{ hash, uid, key string }

// marksEvery is after how many studies a mark is written: what a killed process does again, at most.
const marksEvery = 200

func (b *shardRebuild) prefix() string {
	switch b.shard {
	case ShardQuarantine:
		return "t/" + b.tenant + "/q/"
	case "":
		return "t/" + b.tenant + "/s/"
	}
	return "t/" + b.tenant + "/s/" + b.shard + "/"
}

// resume takes over what a mark says; nil is none.
func (b *shardRebuild) resume(m *mark) {
	if m == nil {
		return
	}
	b.found, b.after, b.done, b.begun = m.found, m.after, m.done, true
	switch o, ok := strings.CutPrefix(b.after, b.prefix()); {
	case b.done:
		b.position = 1
	case ok:
		b.position = b.at(o[strings.LastIndexByte(o, '/')+1:])
	}
	if b.shard != ShardQuarantine && b.after != "" {
		b.knownTo = strings.TrimSuffix(b.after[strings.LastIndexByte(b.after, '/')+1:], afterStudy)
	}
}

// afterStudy stands in the place of the slash at the end of a study's prefix: it is the byte after it.
const afterStudy = "0"

// at is the place of a hash in its shard, 0 to 1.
func (b *shardRebuild) at(hash string) float64 {
	const digits = 6
	skip := len(b.shard)
	if b.shard == ShardQuarantine {
		skip = 0
	}
	if len(hash) < skip+digits {
		return 0
	}
	n, err := strconv.ParseUint(hash[skip:skip+digits], 16, 64)
	if err != nil {
		return 0
	}
	return float64(n) / (1 << (4 * digits))
}

func (b *shardRebuild) run(ctx context.Context) error {
	if b.done {
		return nil
	}
	err := b.list(ctx)
	switch {
	case err == nil:
		b.done = true
		b.advance(b, RebuildReport{}, 1)
		if b.after == "" && len(b.found.Missing) == 0 {
			return nil // nothing is there: to look again costs less than a mark
		}
		return b.save(ctx)
	case ctx.Err() != nil && b.unsaved > 0: // asked to stop: keep what was done since the last mark
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(err, b.save(ctx))
	}
	return err
}

func (b *shardRebuild) list(ctx context.Context) error {
	var study ObjectKey // whose manifests are gathered
	var infos []objstore.Info
	flush := func() error {
		if len(infos) == 0 {
			return nil
		}
		if err := b.lost(ctx, study.Hash); err != nil {
			return err
		}
		if err := b.begin(ctx); err != nil {
			return err
		}
		before := b.found
		if err := b.study(ctx, study, infos); err != nil {
			return err
		}
		infos = infos[:0]
		return b.passed(ctx, strings.TrimSuffix(study.Prefix(), "/")+afterStudy, before, b.at(study.Hash))
	}
	for info, err := range b.store.List(ctx, b.prefix(), b.after) {
		if err != nil {
			return err
		}
		if b.shard == ShardQuarantine {
			if tenant, ok := quarantineNote(info.Key); ok && tenant == b.tenant {
				if err := b.begin(ctx); err != nil {
					return err
				}
				before := b.found
				if err := b.quarantine(ctx, info); err != nil {
					return err
				}
				if err := b.passed(ctx, info.Key, before, b.at(info.Key[strings.LastIndexByte(info.Key, '/')+1:])); err != nil {
					return err
				}
			}
			continue
		}
		o, ok := ParseKey(info.Key)
		if !ok || o.Kind != KindManifest && o.Kind != KindPublished {
			continue
		}
		if o.Hash != study.Hash {
			if err := flush(); err != nil {
				return err
			}
			study = o
		}
		infos = append(infos, info)
	}
	if err := flush(); err != nil {
		return err
	}
	if b.shard == ShardQuarantine {
		return ctx.Err()
	}
	return b.lost(ctx, "")
}

// begin leaves a mark before the first row of the shard, so that a rebuild which is killed early is known to be under way.
func (b *shardRebuild) begin(ctx context.Context) error {
	if b.begun {
		return nil
	}
	b.begun = true
	return b.save(ctx)
}

// passed notes that everything up to a key is done.
func (b *shardRebuild) passed(ctx context.Context, after string, before RebuildReport, position float64) error {
	b.after = after
	b.unsaved++
	b.advance(b, b.found.since(before), position)
	if ctx.Err() != nil { // a Progress may have asked to stop
		return context.Cause(ctx)
	}
	if b.unsaved < marksEvery {
		return nil
	}
	return b.save(ctx)
}

// since is what r has more than an earlier state of it.
func (r RebuildReport) since(before RebuildReport) RebuildReport {
	return RebuildReport{r.Studies - before.Studies, r.Unpublished - before.Unpublished, r.Quarantined - before.Quarantined, r.Instances - before.Instances,
		r.Forks[len(before.Forks):], r.Damaged[len(before.Damaged):], r.Missing[len(before.Missing):]}
}

// lost finds the studies before a hash ("" is the end of the shard) that the
// catalog has a head of and the listing does not have.
func (b *shardRebuild) lost(ctx context.Context, before string) error {
	for {
		if len(b.known) == 0 {
			if b.knownAll {
				return nil
			}
			if err := b.readKnown(ctx); err != nil {
				return err
			}
			continue
		}
		k := b.known[0]
		if before != "" && k.hash >= before {
			if k.hash == before {
				b.known = b.known[1:]
			}
			return nil
		}
		_, err := b.store.Head(ctx, k.key)
		if errors.Is(err, objstore.ErrNotFound) { // else it was committed since it was listed
			b.found.Missing = append(b.found.Missing, StudyKey{b.tenant, k.uid})
			err = nil
		}
		if err != nil {
			return err
		}
		b.known = b.known[1:]
	}
}

const selectKnown = `SELECT hash, uid, head_key FROM study WHERE tenant = ? AND hash > ? AND hash < ? AND generation > 0 ORDER BY hash LIMIT ?`

// readKnown reads the next page of rows.
func (b *shardRebuild) readKnown(ctx context.Context) error {
	end := b.shard + "g" // after all digits
	rows, err := b.db.reader().query(ctx, selectKnown, b.tenant, max(b.knownTo, b.shard), end, pageRows)
	err = each(rows, err, func(r *sql.Rows) error {
		var k knownHead
		err := r.Scan(&k.hash, &k.uid, &k.key)
		k.uid = unescape(k.uid)
		b.known = append(b.known, k)
		return err
	})
	b.knownAll = len(b.known) < pageRows
	if n := len(b.known); n > 0 {
		b.knownTo = b.known[n-1].hash
	}
	return err
}
