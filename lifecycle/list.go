package lifecycle

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// listed is one study as the listings of all tiers show it.
type listed struct {
	key     catalog.ObjectKey // only its study is meant
	objects []found
}

type found struct {
	tier string
	info objstore.Info
	key  catalog.ObjectKey
}

// studies merges the listings of all tiers, which are sorted, and yields study
// by study; only one study's objects are in memory at a time. It stops at the first error, which it yields.
func studies(ctx context.Context, tiers []Tier, prefix string) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		lists := make([]*cursor, len(tiers))
		for i, t := range tiers {
			c := &cursor{tier: t.Name}
			c.next, c.stop = iter.Pull2(t.Store.List(ctx, prefix, ""))
			defer c.stop()
			if err := c.advance(); err != nil {
				yield(listed{}, err)
				return
			}
			lists[i] = c
		}
		for {
			var first string
			for _, c := range lists {
				if !c.done && (first == "" || c.study < first) {
					first = c.study
				}
			}
			if first == "" {
				return
			}
			var st listed
			for _, c := range lists {
				for !c.done && c.study == first {
					st.objects = append(st.objects, found{tier: c.tier, info: c.info})
					if err := c.advance(); err != nil {
						yield(listed{}, err)
						return
					}
				}
			}
			part := strings.Split(first, "/")
			st.key = catalog.ObjectKey{Tenant: part[1], Hash: part[4]}
			if !yield(st, nil) {
				return
			}
		}
	}
}

// cursor stands at one object of one listing.
type cursor struct {
	tier  string
	next  func() (objstore.Info, error, bool)
	stop  func()
	info  objstore.Info
	study string // prefix of its study
	done  bool
}

// advance goes to the next object that is below a study.
func (c *cursor) advance() error {
	for {
		info, err, ok := c.next()
		if err != nil {
			return fmt.Errorf("list tier %s: %w", c.tier, err)
		}
		if !ok {
			c.done = true
			return nil
		}
		if study, ok := studyOf(info.Key); ok {
			c.info, c.study = info, study
			return nil
		}
	}
}

// studyOf returns the prefix of the study that a key lies below: t/<tenant>/s/<hh>/<hash>/
func studyOf(key string) (string, bool) {
	end := 0
	for range 5 {
		i := strings.IndexByte(key[end:], '/')
		if i < 0 {
			return "", false
		}
		end += i + 1
	}
	part := strings.Split(key[:end], "/")
	const hashChars = 40
	ok := part[0] == "t" && part[2] == "s" && len(part[3]) == 2 && len(part[4]) == hashChars && strings.HasPrefix(part[4], part[3]) &&
		strings.Trim(part[4], "0123456789abcdef") == "" && catalog.CheckTenant(part[1]) == nil
	return key[:end], ok
}
