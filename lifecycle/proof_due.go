package lifecycle

import (
	"context"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle/policy"
)

// ProofDays is how long a plan leaves studies alone that only the lack of a proof keeps: who asks for proofs as many days ahead finds them all.
const ProofDays = 7

// ProofOptions says which studies are asked for. Zero values: all tenants, now.
type ProofOptions struct {
	Policy *policy.Policy
	Hot    string // name of the tier that manifests leave unnamed
	Now    time.Time
	// Within is how many days ahead a deletion may lie; less than ProofDays counts as that.
	Within int
	Tenant string
	// Progress, if set, is told now and then how many studies were looked at.
	Progress func(studies int64)
}

// ProofsDue calls f with the studies that a good proof of their primary copies is all that lacks for a deletion, now or within some days: secondary copies, of
// which nothing else forbids it. Those that the policy was asked about and that stay until later are not read; all are, if another policy is in force. f may commit.
func ProofsDue(ctx context.Context, db *catalog.DB, store objstore.Store, o ProofOptions, f func(catalog.Study) error) error {
	digest, epoch, err := db.InForce(ctx)
	if err != nil {
		return err
	}
	if was, _, _ := strings.Cut(digest, "+"); was != o.Policy.Digest { // behind it are prices
		epoch = 1 << 62 // above all, so that every study is looked at
	}
	o.Within = max(o.Within, ProofDays)
	last := int64(policy.DayOf(o.Now, o.Policy.Zone)) + int64(o.Within)
	done := map[string]bool{} // what f commits may come by again
	looked := int64(0)
	return db.CheckDue(ctx, epoch, last, 0, func(page []catalog.Checkable) (map[int]int64, error) {
		for i := range page {
			c := &page[i]
			if o.Tenant != "" && c.Tenant != o.Tenant || c.Status == catalog.StatusFork || done[c.Hash()] {
				continue
			}
			facts, err := facts(ctx, db, store, o.Policy, c, o.Hot)
			if err != nil {
				return nil, err
			}
			if !ProofDue(o.Policy, o.Now, o.Within, facts) {
				continue
			}
			done[c.Hash()] = true
			if err := f(c.Study); err != nil {
				return nil, err
			}
		}
		if looked += int64(len(page)); o.Progress != nil {
			o.Progress(looked)
		}
		return nil, ctx.Err()
	})
}

// ProofDue reports whether a good proof of the primary copy is all that lacks for a deletion of something of a study, now or some days from now.
func ProofDue(p *policy.Policy, now time.Time, within int, f *policy.Facts) bool {
	then := *f
	if f.Proof != nil { // as old then as it is now
		x := *f.Proof
		x.At = x.At.AddDate(0, 0, within)
		then.Proof = &x
	}
	for _, d := range p.Decide(now.AddDate(0, 0, within), &then) {
		if d.Blocked && lacksProof(&d) {
			return true
		}
	}
	return false
}

// lacksProof reports whether nothing but the lack of a proof forbids a deletion.
func lacksProof(d *policy.Decision) bool {
	lacks := false
	for _, r := range d.Reasons {
		if forbids(r.Code) && r.Code != policy.CodeProof {
			return false
		}
		lacks = lacks || r.Code == policy.CodeProof
	}
	return lacks
}
