package lifecycle

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Retrieval is how long a provider takes at most to make an object of an archive class readable, by speed; 0: it does not offer that.
type Retrieval struct{ Bulk, Standard, Expedited time.Duration }

// retrievals are the times that providers state, by the name that S3 has for the class. Of providers that share a name, the slower one: a configuration knows better.
//
// Sources: AWS S3 user guide, "Archive retrieval options": Flexible Retrieval (GLACIER) expedited 1 to 5 minutes, standard 3 to 5 hours, bulk 5 to 12 hours;
// Deep Archive standard within 12, bulk within 48 hours, no expedited one. Alibaba OSS, "Restore objects": Archive 1 minute; Cold Archive 1, 2 to 5, 5 to 12 hours; Deep
// Cold Archive 12 and 48 hours.
var retrievals = map[objstore.Class]Retrieval{
	"GLACIER":         {Bulk: 12 * time.Hour, Standard: 5 * time.Hour, Expedited: 5 * time.Minute},
	"DEEP_ARCHIVE":    {Bulk: 48 * time.Hour, Standard: 12 * time.Hour},
	"Archive":         {Standard: time.Minute},
	"ColdArchive":     {Bulk: 12 * time.Hour, Standard: 5 * time.Hour, Expedited: time.Hour},
	"DeepColdArchive": {Standard: 48 * time.Hour, Expedited: 12 * time.Hour},
}

// slowest is what is expected of a class that nobody knows.
var slowest = Retrieval{Standard: 48 * time.Hour}

// RetrievalOf is what is known of a class, by the configuration (own, nil or zero if it says nothing) or by providers.
func RetrievalOf(class objstore.Class, own func(objstore.Class) Retrieval) Retrieval {
	if own != nil {
		if r := own(class); r != (Retrieval{}) {
			return r
		}
	}
	if r, ok := retrievals[class]; ok {
		return r
	}
	return slowest
}

// Choose takes the cheapest speed that is over within the time left; if none is, the fastest one, and says so by ok.
func (r Retrieval) Choose(left time.Duration) (speed objstore.Speed, takes time.Duration, ok bool) {
	for _, o := range []struct {
		speed objstore.Speed
		takes time.Duration
	}{{objstore.Bulk, r.Bulk}, {objstore.Standard, r.Standard}, {objstore.Expedited, r.Expedited}} { // from the cheapest
		switch {
		case o.takes == 0:
			continue
		case o.takes <= left:
			return o.speed, o.takes, true
		case takes == 0 || o.takes < takes:
			speed, takes = o.speed, o.takes
		}
	}
	return speed, takes, false
}

// maxPoll is how long a job sleeps at most until it looks again at a restore.
const maxPoll = 30 * time.Minute

// pollAfter is how long a job sleeps until it looks again at a restore that takes so long.
func pollAfter(takes time.Duration) time.Duration {
	return min(max(takes/10, time.Minute), maxPoll)
}

// ThawError says that packs are being restored by their provider. It is objstore.ErrArchived, and nobody's fault.
type ThawError struct {
	Packs int           // that cannot be read yet
	After time.Duration // when to look again
}

func (e *ThawError) Error() string {
	return fmt.Sprintf("%d archived packs are being restored by the provider of their tier; looked at again in %s", e.Packs, e.After)
}

func (e *ThawError) Unwrap() error { return objstore.ErrArchived }

// Thaw is what the provider must do before a pack can be copied. The zero value: nothing.
type Thaw struct {
	Archived bool // it cannot be read now
	Ongoing  bool // a restore was asked for
	Speed    objstore.Speed
	Takes    time.Duration // at most
	InTime   bool
}

// ThawOf looks at one pack, and asks for nothing.
func ThawOf(ctx context.Context, tiers Places, times func(objstore.Class) Retrieval, p catalog.Pack, deadline, now time.Time) (t Thaw, err error) {
	store, err := tiers.Tier(p.Tier)
	if err != nil {
		return t, err
	}
	info, err := store.Head(ctx, p.Key)
	if err != nil || info.Restore.Readable(now) {
		return t, err
	}
	t.Archived, t.Ongoing = true, info.Restore.Ongoing
	left := time.Duration(math.MaxInt64)
	if !deadline.IsZero() {
		left = deadline.Sub(now)
	}
	t.Speed, t.Takes, t.InTime = RetrievalOf(info.Class, times).Choose(left)
	return t, nil
}
