package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// Stored is one manifest as a listing of the bucket shows it.
type Stored struct {
	ObjectKey
	Key       string
	Published bool // its .ok is there
	Bytes     int64
	Modified  time.Time
}

// listManifests lists the manifests of a study by generation. A published mark without its manifest is a *DamagedError.
func listManifests(ctx context.Context, store objstore.Store, prefix string) ([]Stored, error) {
	var infos []objstore.Info
	for info, err := range store.List(ctx, prefix+"m/", "") {
		if err != nil {
			return nil, fmt.Errorf("list manifests of %s: %w", prefix, err)
		}
		infos = append(infos, info)
	}
	return ManifestsOf(infos)
}

// ManifestsOf picks the manifests out of a study's listing, by generation and
// then by key. A published mark whose manifest is not there is a *DamagedError.
func ManifestsOf(infos []objstore.Info) ([]Stored, error) {
	at := map[string]int{}
	var list []Stored
	var marks []string
	for _, info := range infos {
		o, ok := ParseKey(info.Key)
		switch {
		case ok && o.Kind == KindManifest:
			at[info.Key] = len(list)
			list = append(list, Stored{ObjectKey: o, Key: info.Key, Bytes: info.Size, Modified: info.Modified})
		case ok && o.Kind == KindPublished:
			marks = append(marks, strings.TrimSuffix(info.Key, publishedSuffix))
		}
	}
	for _, key := range marks {
		i, ok := at[key]
		if !ok {
			return nil, &DamagedError{key, "it is marked as published and is not in the bucket"}
		}
		list[i].Published = true
	}
	slices.SortFunc(list, func(a, b Stored) int {
		if a.Generation != b.Generation {
			return int(a.Generation - b.Generation)
		}
		return strings.Compare(a.Key, b.Key)
	})
	return list, nil
}

// PublishedHead returns the published manifest of the highest generation, nil
// if none is published, and a *ForkError if two of one generation are.
func PublishedHead(list []Stored) (*Stored, error) {
	var head *Stored
	for i := range list {
		s := &list[i]
		if !s.Published {
			continue
		}
		if head != nil && head.Generation == s.Generation {
			return nil, &ForkError{s.Prefix(), s.Generation, []string{head.Key, s.Key}}
		}
		head = s
	}
	return head, nil
}

// Ancestors walks from a head down to generation 1 and returns all manifests
// of its chain, head first. A published manifest that is not in the chain is a
// *ForkError: whoever is named as parent by a published one is published too. With deep false only the head's own parent is compared and nothing is read.
func Ancestors(ctx context.Context, store objstore.Store, list []Stored, head *Manifest, deep bool) ([]*Manifest, error) {
	published := map[int64]string{}
	for _, s := range list {
		if s.Published {
			published[s.Generation] = s.Key
		}
	}
	chain := []*Manifest{head}
	for m := head; ; m = chain[len(chain)-1] {
		if other, ok := published[m.Generation]; ok && other != m.Key() {
			return chain, &ForkError{m.Study().Prefix(), m.Generation, []string{m.Key(), other}}
		}
		if m.Parent == nil {
			return chain, nil
		}
		if !deep {
			if other, ok := published[m.Generation-1]; ok && other != m.Parent.Key {
				return chain, &ForkError{m.Study().Prefix(), m.Generation - 1, []string{m.Parent.Key, other}}
			}
			return chain, nil
		}
		parent, err := LoadManifest(ctx, store, *m.Parent)
		if err != nil {
			return chain, err
		}
		chain = append(chain, parent)
	}
}
