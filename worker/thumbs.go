package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sort"

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

	dec := pack.NewDecoders(d.set)
	var thumbs []thumb
	facts := make([]render.SeriesFacts, len(uids))
	pictures := make([][]byte, len(uids))
	for i, uid := range uids {
		facts[i].UID = uid
		jpeg, number, aux, err := d.seriesThumb(ctx, view, dec, bySeries[uid])
		if err != nil {
			return nil, nil, err
		}
		if jpeg == nil {
			continue
		}
		facts[i].Number, facts[i].Auxiliary, pictures[i] = number, aux, jpeg
		for _, in := range bySeries[uid] {
			facts[i].Images += max(len(in.Frames), 1)
		}
		thumbs = append(thumbs, thumb{uid, jpeg})
	}
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

// seriesThumb makes the thumbnail of a series, nil if it has none. The error is that of a store only.
func (d *derivation) seriesThumb(ctx context.Context, view *study.Study, dec *pack.Decoders, list []study.Instance) (jpeg []byte, number int, auxiliary bool, err error) {
	var images []study.Instance
	for _, in := range list {
		if render.NoPicture(in.ClassUID, in.Syntax, in.Image != nil || in.Reason != "") == "" {
			images = append(images, in)
		}
	}
	facts := make([]render.InstanceFacts, len(images))
	for i, in := range images {
		if ctx.Err() != nil {
			return nil, 0, false, context.Cause(ctx)
		}
		f, r, err := in.Scan(ctx)
		if err != nil {
			continue
		}
		number = f.SeriesNumber
		if len(images) == 1 {
			break // nothing to choose
		}
		ds, err := dcm.ReadDataset(r, f, dcm.Limits{})
		if err != nil {
			continue
		}
		facts[i] = render.FactsFrom(ds)
	}
	for range min(len(images), maxCandidates) {
		i := render.PickInstance(facts)
		img, p, err := view.Preview(ctx, dec, images[i], d.phi)
		if err == nil {
			var buf bytes.Buffer
			if err := render.EncodeJPEG(&buf, render.Thumbnail(img, p.Aspect, render.DefaultSide)); err != nil {
				return nil, 0, false, fmt.Errorf("encode thumbnail: %w", err)
			}
			return buf.Bytes(), number, facts[i].Localizer || facts[i].Secondary, nil
		}
		if ctx.Err() != nil {
			return nil, 0, false, context.Cause(ctx)
		}
		d.log.Info("no picture of an instance", "sop", printableUID(images[i].SOPUID), "reason", err)
		images = append(images[:i:i], images[i+1:]...)
		facts = append(facts[:i:i], facts[i+1:]...)
	}
	return nil, number, false, nil
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
