// Package study reads a stored study back: its instances as they were
// received, in another transfer syntax, frame by frame, or as a picture.
//
// A study is opened from one manifest with a single request for its hot
// bundle, which holds the index and the headers of every volume; after that
// a frame costs one ranged request. Everything read is checked against its digest before it is given out.
package study

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
)

// Stores finds the object store of a tier by its configured name. An unknown name is an error that says so.
type Stores interface {
	Tier(name string) (objstore.Store, error)
	// Hot is where manifests and hot bundles are.
	Hot() objstore.Store
}

// Study is one generation of a study, open for reading. It may be used from
// many goroutines; decoders are passed in where they are needed.
type Study struct {
	Manifest *catalog.Manifest
	Volumes  []*pack.Volume // one per pack of Manifest.Packs that holds the study's instances; see Open
	packs    []int          // number in Manifest.Packs of each volume
	hides    bool           // what is in the trash, and what is ordered to be erased
	set      *codecs.Set
	hot      objstore.Store
	bundle   []byte
}

// Open reads the hot bundle of a manifest and opens the full images and the results; once the full images are expired, the regions
// that are kept of them instead. If the bundle is damaged or gone, the volumes' own indexes are read.
func Open(ctx context.Context, stores Stores, m *catalog.Manifest, set *codecs.Set) (*Study, error) {
	return open(ctx, stores, m, set, volumesOf(m), false)
}

// OpenShown is Open for people and other readers: what is in the trash or ordered to be erased is not there.
func OpenShown(ctx context.Context, stores Stores, m *catalog.Manifest, set *codecs.Set) (*Study, error) {
	return open(ctx, stores, m, set, shownOf(m), true)
}

// OpenRegions opens what is kept of the study's lesions: its instances are whole slices as they were received, and derived instances.
func OpenRegions(ctx context.Context, stores Stores, m *catalog.Manifest, set *codecs.Set) (*Study, error) {
	return open(ctx, stores, m, set, regionsOf(m), false)
}

func open(ctx context.Context, stores Stores, m *catalog.Manifest, set *codecs.Set, packs []int, hides bool) (*Study, error) {
	s := &Study{Manifest: m, set: set, hot: stores.Hot(), packs: packs, hides: hides}
	var hotErr error
	if m.Hot != nil {
		s.bundle, hotErr = readBundle(ctx, s.hot, m.Hot)
	}
	for _, n := range s.packs {
		p := m.Packs[n]
		store, err := stores.Tier(p.Tier)
		if err != nil {
			return nil, err
		}
		vol, err := s.openVolume(ctx, pack.StoreRanger(store, p.Key), n)
		if err != nil {
			return nil, fmt.Errorf("volume %d of the study: %w", n, errors.Join(err, hotErr))
		}
		s.Volumes = append(s.Volumes, vol)
	}
	return s, nil
}

// Assemble is a study whose volumes (those that Open opens) are open already, without a hot bundle:
// what a worker has before it commits.
func Assemble(m *catalog.Manifest, volumes []*pack.Volume, set *codecs.Set) *Study {
	return &Study{Manifest: m, Volumes: volumes, packs: volumesOf(m), set: set}
}

// PackOf is the number in Manifest.Packs of a volume.
func (s *Study) PackOf(volume int) int { return s.packs[volume] }

// volumesOf lists the packs that hold the study's instances, by their number in the manifest. Regions repeat what the full images have.
func volumesOf(m *catalog.Manifest) []int {
	return instancesOf(m, func(catalog.Class) bool { return true })
}

// shownOf is volumesOf without what is hidden: in the trash, or ordered to be erased.
func shownOf(m *catalog.Manifest) []int {
	return instancesOf(m, func(c catalog.Class) bool { return !m.Hidden(c) })
}

func instancesOf(m *catalog.Manifest, shown func(catalog.Class) bool) []int {
	full := slices.ContainsFunc(m.Packs, func(p catalog.Pack) bool { return p.Class == catalog.ClassFull && shown(p.Class) })
	return packsOf(m, func(c catalog.Class) bool {
		return shown(c) && (c == catalog.ClassFull || c == catalog.ClassResult || c == catalog.ClassRegion && !full)
	})
}

func regionsOf(m *catalog.Manifest) []int {
	return packsOf(m, func(c catalog.Class) bool { return c == catalog.ClassRegion })
}

func packsOf(m *catalog.Manifest, want func(catalog.Class) bool) []int {
	var list []int
	for n, p := range m.Packs {
		if want(p.Class) {
			list = append(list, n)
		}
	}
	return list
}

func readBundle(ctx context.Context, store objstore.Store, b *catalog.Bundle) ([]byte, error) {
	data, err := objstore.ReadRange(ctx, store, b.Key, 0, b.Size)
	if err != nil {
		return nil, fmt.Errorf("hot bundle: %w", err)
	}
	sum := sha256.Sum256(data)
	if hex.EncodeToString(sum[:]) != b.SHA256 {
		return data, fmt.Errorf("hot bundle %s: SHA-256 differs from the manifest's", b.Key)
	}
	return data, nil
}

func cut(data []byte, r catalog.Range) ([]byte, bool) {
	if r[0] < 0 || r[1] < 0 || r[0]+r[1] > int64(len(data)) || r[0]+r[1] < r[0] {
		return nil, false
	}
	return data[r[0] : r[0]+r[1]], true
}

// openVolume prefers the hot bundle's copy of the index; every part of it carries its own digest, so a
// bundle with one flipped bit is still good for all parts but one.
func (s *Study) openVolume(ctx context.Context, ranger pack.Ranger, n int) (*pack.Volume, error) {
	p := s.Manifest.Packs[n]
	if s.bundle != nil && n < len(s.Manifest.Hot.Parts) {
		part := s.Manifest.Hot.Parts[n]
		if raw, ok := cut(s.bundle, part.Index); ok {
			if idx, err := pack.DecodeIndex(raw); err == nil {
				return pack.NewVolume(idx, ranger, func(_ context.Context, i int) ([]byte, error) {
					if i < len(part.Blocks) {
						if b, ok := cut(s.bundle, part.Blocks[i]); ok {
							return b, nil
						}
					}
					return nil, fmt.Errorf("hot bundle has no header block %d of volume %d", i, n)
				}), nil
			}
		}
	}
	return pack.OpenVolume(ctx, ranger, p.Size)
}

// Instance is one stored instance of a study.
type Instance struct {
	*pack.Instance
	Volume *pack.Volume
	Pack   int // index in Manifest.Packs
	Index  int // index in Volume.Index.Instances
	// Version counts the stored files of one (series, SOP Instance UID) from 1, in the order they came; Versions is how many there are.
	Version, Versions int
	Withdrawn         bool
}

// Instances lists what is stored, by series and in the order of the volumes.
// Withdrawn instances are listed and marked; readers show them only when asked to.
func (s *Study) Instances() []Instance {
	var list []Instance
	withdrawn := map[[2]string]bool{}
	for _, w := range s.Manifest.Withdrawn {
		withdrawn[[2]string{w.SeriesUID, w.SOPUID}] = true
	}
	count := map[[2]string]int{}
	for n, v := range s.Volumes {
		for i := range v.Index.Instances {
			in := &v.Index.Instances[i]
			if s.hides && s.Manifest.Erasing(in.SOPUID) {
				continue
			}
			id := [2]string{in.SeriesUID, in.SOPUID}
			count[id]++
			list = append(list, Instance{Instance: in, Volume: v, Pack: s.packs[n], Index: i, Version: count[id], Withdrawn: withdrawn[id]})
		}
	}
	for i := range list {
		list[i].Versions = count[[2]string{list[i].SeriesUID, list[i].SOPUID}]
	}
	sort.SliceStable(list, func(a, b int) bool { return list[a].SeriesUID < list[b].SeriesUID })
	return list
}

// Select returns the current (last) version of every instance that matches;
// empty strings match all, allVersions keeps the earlier ones too.
func (s *Study) Select(series, sop string, allVersions, withWithdrawn bool) []Instance {
	var out []Instance
	for _, in := range s.Instances() {
		if series != "" && in.SeriesUID != series || sop != "" && in.SOPUID != sop {
			continue
		}
		if in.Withdrawn && !withWithdrawn || in.Version < in.Versions && !allVersions {
			continue
		}
		out = append(out, in)
	}
	return out
}

// Thumb returns a stored thumbnail (JPEG): of a series by its UID, or of the study by "study".
func (s *Study) Thumb(name string) ([]byte, bool) {
	if s.Manifest.Hot == nil || s.hides && s.Manifest.Hidden(catalog.ClassPreview) {
		return nil, false
	}
	r, ok := s.Manifest.Hot.Thumbs[name]
	if !ok {
		return nil, false
	}
	return cut(s.bundle, r)
}

// NewDecoders returns codec values for one goroutine.
func (s *Study) NewDecoders() *pack.Decoders { return pack.NewDecoders(s.set) }

// Scan returns the structure of a stored instance and a sparse view of it in which frames read as zeros.
func (in *Instance) Scan(ctx context.Context) (*dcm.File, io.ReaderAt, error) {
	r, size, err := in.Volume.Virtual(ctx, in.Index)
	if err != nil {
		return nil, nil, err
	}
	f, err := dcm.Scan(r, size, dcm.Limits{})
	if err != nil {
		return nil, nil, fmt.Errorf("stored header of %s: %w", in.SOPUID, err)
	}
	return f, r, nil
}
