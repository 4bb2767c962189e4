package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/roi/picture"
)

// ReadRecord reads the region record that a manifest names, from the hot tier, and checks its digest.
func ReadRecord(ctx context.Context, store objstore.Store, r *catalog.RegionRecord) (*roi.Record, error) {
	raw, err := objstore.ReadRange(ctx, store, r.Key, 0, r.Size)
	if err != nil {
		return nil, fmt.Errorf("region record: %w", err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != r.SHA256 {
		return nil, fmt.Errorf("region record %s: SHA-256 differs from the manifest's", r.Key)
	}
	var rec roi.Record
	if err := json.Unmarshal(raw, &rec); err != nil {
		return nil, fmt.Errorf("region record %s: %w", r.Key, err)
	}
	if rec.Schema != roi.RecordSchema {
		return nil, fmt.Errorf("region record %s: schema %q is not known to this version", r.Key, rec.Schema)
	}
	return &rec, nil
}

// DrawRegions draws what is kept of a study's lesions; see package picture. Frames are read from the full images; policy says what becomes
// of those that may show a name. A frame that cannot be drawn is left out with its reason; the error is that of a store, or the end of ctx.
func DrawRegions(ctx context.Context, view *study.Study, dec *pack.Decoders, rec *roi.Record, policy render.PHIPolicy) (*image.RGBA, error) {
	at := map[string]study.Instance{}
	for _, in := range view.Select("", "", false, true) {
		at[in.SOPUID] = in
	}
	var failed error
	img := picture.Draw(rec, func(sop string, frame int) (image.Image, float64, error) {
		in, ok := at[sop]
		if !ok {
			return nil, 0, fmt.Errorf("the full image is not there any more")
		}
		img, p, err := view.Picture(ctx, dec, in, frame-1)
		if err == nil {
			img, err = render.Guard(img, p, policy)
		}
		if err != nil && failed == nil && passing(ctx, err) {
			failed = err
		}
		return img, p.Aspect, err
	})
	return img, failed
}

// ReadPicture reads the stored picture of a study's regions, and checks its digest.
func ReadPicture(ctx context.Context, store objstore.Store, p *catalog.Picture) ([]byte, error) {
	raw, err := objstore.ReadRange(ctx, store, p.Key, 0, p.Size)
	if err != nil {
		return nil, fmt.Errorf("picture of the regions: %w", err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != p.SHA256 {
		return nil, fmt.Errorf("picture of the regions %s: SHA-256 differs from the manifest's", p.Key)
	}
	return raw, nil
}
