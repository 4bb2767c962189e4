package study

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
)

// Damage is one thing that is wrong with what a study has stored. It names keys, UIDs and offsets.
type Damage struct {
	Key  string `json:"key"` // object
	What string `json:"what"`
}

// Verified is what Verify looked at.
type Verified struct {
	Objects   int      `json:"objects"`
	Bytes     int64    `json:"bytes"`     // of these objects
	Instances int      `json:"instances"` // rebuilt and compared
	Damage    []Damage `json:"damage,omitempty"`
}

// Verify reads every object of one generation of a study again and proves it:
// all by the SHA-256 in the manifest, packs part by part, every received file by rebuilding it, quarantined
// files by their digest, and small pictures by what the full frames give. It goes on after damage, which it lists. The error is that of a
// store that fails, or the end of ctx. read is called with bytes read as it goes on, and may be nil.
func Verify(ctx context.Context, stores Stores, m *catalog.Manifest, set *codecs.Set, read func(bytes int64)) (*Verified, error) {
	v := &verifying{stores: stores, m: m, set: set, read: read, dec: pack.NewDecoders(set)}
	if v.read == nil {
		v.read = func(int64) {}
	}
	return &v.Verified, v.run(ctx)
}

type verifying struct {
	Verified
	stores Stores
	m      *catalog.Manifest
	set    *codecs.Set
	dec    *pack.Decoders
	read   func(int64)
}

func (v *verifying) add(key, format string, args ...any) {
	v.Damage = append(v.Damage, Damage{key, fmt.Sprintf(format, args...)})
}

func (v *verifying) run(ctx context.Context) error {
	mark := catalog.PublishedKey(v.m.Key())
	if _, err := v.stores.Hot().Head(ctx, mark); errors.Is(err, objstore.ErrNotFound) {
		v.add(mark, "is not in the store: a catalog rebuilt from the store would not see this generation; put an empty object there")
	} else if err != nil {
		return err
	}
	for _, q := range v.m.Quarantined {
		if _, err := v.object(ctx, v.stores.Hot(), q.Key, q.Size, q.SHA256); err != nil {
			return err
		}
	}
	if r := v.m.Regions; r != nil {
		if _, err := v.object(ctx, v.stores.Hot(), r.Key, r.Size, r.SHA256); err != nil {
			return err
		}
		if p := r.Picture; p != nil {
			if _, err := v.object(ctx, v.stores.Hot(), p.Key, p.Size, p.SHA256); err != nil {
				return err
			}
		}
	}
	for _, c := range v.m.Certificates {
		if _, err := v.object(ctx, v.stores.Hot(), c.Key, c.Size, c.SHA256); err != nil {
			return err
		}
	}
	for _, a := range v.m.Annotations {
		if _, err := v.object(ctx, v.stores.Hot(), a.Key, a.Size, a.SHA256); err != nil {
			return err
		}
	}
	s := &Study{Manifest: v.m, set: v.set, hot: v.stores.Hot()}
	if v.m.Hot != nil {
		whole, err := v.object(ctx, s.hot, v.m.Hot.Key, v.m.Hot.Size, v.m.Hot.SHA256)
		if err != nil {
			return err
		}
		if whole {
			if s.bundle, err = readBundle(ctx, s.hot, v.m.Hot); err != nil {
				return err
			}
		}
	}
	sound := map[int]bool{}
	main := volumesOf(v.m)
	for _, n := range main {
		before := len(v.Damage)
		if err := v.pack(ctx, s, n); err != nil {
			return fmt.Errorf("verify %s: %w", v.m.Packs[n].Key, err)
		}
		sound[n] = len(v.Damage) == before
	}
	regions := &Study{Manifest: v.m, set: v.set, hot: s.hot, bundle: s.bundle}
	for _, n := range regionsOf(v.m) {
		if slices.Contains(main, n) {
			continue
		}
		if err := v.pack(ctx, regions, n); err != nil {
			return fmt.Errorf("verify %s: %w", v.m.Packs[n].Key, err)
		}
	}
	return v.allPreviews(ctx, s, sound)
}

func (v *verifying) pack(ctx context.Context, s *Study, n int) error {
	p := v.m.Packs[n]
	store, err := v.stores.Tier(p.Tier)
	if err != nil {
		return err
	}
	before := len(v.Damage)
	if _, err := v.object(ctx, store, p.Key, p.Size, p.SHA256); err != nil {
		return err
	}
	if _, err := store.Head(ctx, p.Key); errors.Is(err, objstore.ErrNotFound) {
		return nil // said already
	}
	vol, err := s.openVolume(ctx, &ahead{inner: pack.StoreRanger(store, p.Key), size: p.Size}, n)
	if isDamage(err) {
		v.add(p.Key, "cannot be opened: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	s.Volumes, s.packs = append(s.Volumes, vol), append(s.packs, n)
	if vol.Size == 0 {
		vol.Size = p.Size
	}
	report, err := vol.Verify(ctx, v.dec, pack.VerifyOptions{Decode: true})
	v.Instances += report.Rebuilt
	v.read(report.Bytes)
	list := unjoin(err)
	for _, e := range list {
		if !isDamage(e) {
			return e
		}
	}
	if len(list) > 0 { // parts say more than the whole
		v.Damage = v.Damage[:before]
	}
	for _, e := range list {
		v.add(p.Key, "%v", e)
	}
	if len(list) == 0 {
		if err := v.transcoded(ctx, s, vol, n); err != nil {
			return err
		}
	}
	return nil
}

// object compares a whole object with its digest and reports whether it is as it was written.
func (v *verifying) object(ctx context.Context, store objstore.Store, key string, size int64, sum string) (bool, error) {
	v.Objects++
	r, _, err := store.Get(ctx, key, 0, -1)
	if errors.Is(err, objstore.ErrNotFound) {
		v.add(key, "is not in the store")
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("verify %s: %w", key, err)
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, progressReader{r, v.read}, make([]byte, 1<<20))
	v.Bytes += n
	if err != nil {
		return false, fmt.Errorf("verify %s: after %d bytes: %w", key, n, err)
	}
	if n != size {
		v.add(key, "has %d bytes, the manifest says %d", n, size)
		return false, nil
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		v.add(key, "SHA-256 is %s, the manifest says %s", got, sum)
		return false, nil
	}
	return true, ctx.Err()
}

type progressReader struct {
	io.Reader
	read func(int64)
}

func (p progressReader) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.read(int64(n))
	return n, err
}

// unjoin takes apart what errors.Join made.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, e := range j.Unwrap() {
			list = append(list, unjoin(e)...)
		}
		return list
	}
	return []error{err}
}

// isDamage reports whether an error says that stored bytes are wrong, not that they could not be read.
func isDamage(err error) bool {
	var damaged *pack.DamagedError
	var malformed *pack.MalformedError
	var codec *codecs.MalformedError
	return errors.As(err, &damaged) || errors.As(err, &malformed) || errors.As(err, &codec) || errors.Is(err, objstore.ErrNotFound)
}

// transcoded proves the instances whose received file cannot be rebuilt: the form that readers get instead is written once.
func (v *verifying) transcoded(ctx context.Context, s *Study, vol *pack.Volume, n int) error {
	for i := range vol.Index.Instances {
		in := Instance{Instance: &vol.Index.Instances[i], Volume: vol, Pack: n, Index: i}
		if in.Exact {
			continue
		}
		if err := s.WriteExplicitLE(ctx, v.dec, in, io.Discard); err != nil {
			if ctx.Err() != nil || objstore.IsTransient(err) {
				return err
			}
			v.add(v.m.Packs[n].Key, "instance %q cannot be written: %v", in.SOPUID, err)
		}
	}
	return nil
}
