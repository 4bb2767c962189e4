package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/study"
)

// thumb is a thumbnail of a series (by its UID) or of the "study".
type thumb struct {
	name string
	jpeg []byte
}

// maxCandidates is how many instances of a series are tried for its thumbnail before the series has none.
const maxCandidates = 3

// lookThrough makes the thumbnails of a study; of what came with this attempt
// (volumes from index fresh on) it proves transcoded instances and reads the rejection notes. A picture that cannot be made is logged and missing; it never fails the study.
func (d *derivation) lookThrough(ctx context.Context, view *study.Study, fresh int) ([]thumb, []catalog.Withdrawn, error) {
	bySeries := map[string][]study.Instance{}
	for _, in := range view.Select("", "", false, false) {
		bySeries[in.SeriesUID] = append(bySeries[in.SeriesUID], in)
	}
	var uids []string
	for uid := range bySeries {
		uids = append(uids, uid)
	}
	sort.Strings(uids)

	facts := make([]render.SeriesFacts, len(uids))
	pictures := make([][]byte, len(uids))
	g, pictureCtx := errgroup.WithContext(ctx)
	g.SetLimit(picturesAtOnce)
	for i, uid := range uids {
		facts[i].UID = uid
		list := bySeries[uid]
		found, err := d.candidates(ctx, list) // headers are at hand: only the pictures wait for the store
		if err != nil {
			return nil, nil, errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			jpeg, aux, err := d.seriesThumb(pictureCtx, view, found)
			if err != nil || jpeg == nil {
				return err
			}
			facts[i].Number, facts[i].Auxiliary, pictures[i] = found.number, aux, jpeg
			for _, in := range list {
				facts[i].Images += max(len(in.Frames), 1)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	var thumbs []thumb
	for i, jpeg := range pictures {
		if jpeg != nil {
			thumbs = append(thumbs, thumb{uids[i], jpeg})
		}
	}
	dec := pack.NewDecoders(d.set)
	if best := render.PickSeries(facts); best >= 0 {
		thumbs = append([]thumb{{"study", pictures[best]}}, thumbs...)
	}

	var withdrawn []catalog.Withdrawn
	for _, in := range view.Instances() {
		if in.Pack >= fresh && !in.Exact { // its received file is gone for good: what readers get instead must work
			if err := view.WriteExplicitLE(ctx, dec, in, io.Discard); err != nil {
				return nil, nil, fmt.Errorf("%w: %w", errNotProved, err)
			}
		}
		if in.Pack < fresh || in.ClassUID != keyObjectSelection {
			continue
		}
		w, err := d.rejections(ctx, in)
		if err != nil {
			d.log.Warn("key object selection not read", "sop", printableUID(in.SOPUID), "err", err)
			continue
		}
		withdrawn = append(withdrawn, w...)
	}
	return thumbs, withdrawn, nil
}

// withExpired adds the parent's thumbnails of series whose full images are expired: nobody can make them again.
func (d *derivation) withExpired(thumbs []thumb) []thumb {
	if d.parent == nil || d.parent.Manifest.Hot == nil || d.parent.Manifest.Purged(catalog.ClassFull) == nil {
		return thumbs
	}
	for _, name := range slices.Sorted(maps.Keys(d.parent.Manifest.Hot.Thumbs)) {
		if slices.ContainsFunc(thumbs, func(t thumb) bool { return t.name == name }) {
			continue
		}
		if jpeg, ok := d.parent.Thumb(name); ok {
			thumbs = append(thumbs, thumb{name, jpeg})
		}
	}
	return thumbs
}

// picturesAtOnce is how many series of a study are asked for their picture at the same time, so that a slow store does not add up.
const picturesAtOnce = 8

// pictureWeight estimates the memory that one picture takes: codestream, samples, and what is rendered.
func pictureWeight(in study.Instance) int64 {
	if in.Image == nil {
		return 1 << 20
	}
	return 4*in.Image.FrameBytes() + 64<<10
}

// candidates are the instances of a series that can have a picture.
type candidates struct {
	images []study.Instance
	facts  []render.InstanceFacts
	number int // of the series
}

// candidates reads the headers of a series.
func (d *derivation) candidates(ctx context.Context, list []study.Instance) (c candidates, err error) {
	for _, in := range list {
		if render.NoPicture(in.ClassUID, in.Syntax, in.Image != nil || in.Reason != "") == "" {
			c.images = append(c.images, in)
		}
	}
	c.facts = make([]render.InstanceFacts, len(c.images))
	for i, in := range c.images {
		if ctx.Err() != nil {
			return c, context.Cause(ctx)
		}
		f, r, err := in.Scan(ctx)
		if err != nil {
			continue
		}
		c.number = f.SeriesNumber
		if len(c.images) == 1 {
			break // nothing to choose
		}
		ds, err := dcm.ReadDataset(r, f, dcm.Limits{})
		if err != nil {
			continue
		}
		c.facts[i] = render.FactsFrom(ds)
	}
	return c, nil
}

// seriesThumb makes the thumbnail of a series, nil if it has none. The error is that of a store only.
func (d *derivation) seriesThumb(ctx context.Context, view *study.Study, c candidates) (jpeg []byte, auxiliary bool, err error) {
	dec := pack.NewDecoders(d.set)
	images, facts := c.images, c.facts
	for range min(len(images), maxCandidates) {
		i := render.PickInstance(facts)
		free, err := d.budget.Acquire(ctx, pictureWeight(images[i])) // a study that makes its pictures holds nothing else
		if err != nil {
			return nil, false, err
		}
		img, p, err := view.Preview(ctx, dec, images[i], d.phi)
		free()
		if err == nil {
			var buf bytes.Buffer
			if err := render.EncodeJPEG(&buf, render.Thumbnail(img, p.Aspect, render.DefaultSide)); err != nil {
				return nil, false, fmt.Errorf("encode thumbnail: %w", err)
			}
			return buf.Bytes(), facts[i].Localizer || facts[i].Secondary, nil
		}
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		d.log.Info("no picture of an instance", "sop", printableUID(images[i].SOPUID), "reason", err)
		images = append(images[:i:i], images[i+1:]...)
		facts = append(facts[:i:i], facts[i+1:]...)
	}
	return nil, false, nil
}

// keyObjectSelection is the SOP Class of Key Object Selection documents, rejection notes among them.
const keyObjectSelection = "1.2.840.10008.5.1.4.1.1.88.59"

// rejectionCodes are the document titles that withdraw the listed instances (IHE IOCM; PS3.16 CID 7011).
var rejectionCodes = map[string]bool{"113001": true, "113037": true, "113038": true, "113039": true}

// rejections reads a rejection note: what it lists is withdrawn from reads, never deleted by that.
func (d *derivation) rejections(ctx context.Context, in study.Instance) ([]catalog.Withdrawn, error) {
	f, r, err := in.Scan(ctx)
	if err != nil {
		return nil, err
	}
	ds, err := dcm.ReadDataset(r, f, dcm.Limits{})
	if err != nil {
		return nil, err
	}
	title := ds.Items(0x0040A043)
	if len(title) == 0 || title[0].String(0x00080102) != "DCM" || !rejectionCodes[title[0].String(0x00080100)] {
		return nil, nil
	}
	code := title[0].String(0x00080100) + ",DCM"
	var out []catalog.Withdrawn
	for _, study := range ds.Items(0x0040A375) { // Current Requested Procedure Evidence Sequence
		if study.String(0x0020000D) != d.key.UID {
			continue
		}
		for _, series := range study.Items(0x00081115) {
			for _, ref := range series.Items(0x00081199) {
				out = append(out, catalog.Withdrawn{SeriesUID: series.String(0x0020000E), SOPUID: ref.String(0x00081155), Code: code, At: d.now().UTC()})
			}
		}
	}
	return out, nil
}
