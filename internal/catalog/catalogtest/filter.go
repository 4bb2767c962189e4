package catalogtest

import (
	"testing"

	"github.com/radtier/radtier/internal/catalog"
)

// The shards together list every study once, of one tenant or of all, page by page too.
func testShardFilter(t *testing.T, f *Fixture) {
	const studies = 40
	for n := range studies {
		f.Arrive(catalog.StudyKey{Tenant: []string{"north", "south"}[n%2], UID: Study(n).UID}, "a")
	}
	for _, tenant := range []string{"", "north", "south"} {
		for _, limit := range []int{0, 2} {
			seen := map[string]bool{}
			for _, digit := range "0123456789abcdef" {
				after := catalog.StudyKey{}
				for {
					n := 0
					for s, err := range f.DB.Studies(f.Ctx, catalog.Filter{Tenant: tenant, Shard: string(digit), Limit: limit, After: after}) {
						f.OK(err)
						hash := s.StudyKey.Hash()
						if seen[hash] || hash[0] != byte(digit) || tenant != "" && s.Tenant != tenant {
							t.Fatalf("shard %c of tenant %q lists study %s of %s, seen before: %v", digit, tenant, hash, s.Tenant, seen[hash])
						}
						seen[hash] = true
						after = s.StudyKey
						n++
					}
					if limit == 0 || n < limit {
						break
					}
				}
			}
			want := studies
			if tenant != "" {
				want /= 2
			}
			if len(seen) != want {
				t.Errorf("the shards of tenant %q, %d at a time, list %d studies, want %d", tenant, limit, len(seen), want)
			}
		}
	}
	for _, bad := range []string{"g", "A", "%", f.Job(f.Arrive(Study(1), "b").ID).Hash()} {
		for _, err := range f.DB.Studies(f.Ctx, catalog.Filter{Shard: bad}) {
			if err == nil {
				t.Errorf("shard %q was listed", bad)
			}
		}
	}
}
