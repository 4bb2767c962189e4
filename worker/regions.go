package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/roi/crop"
)

// regioned is what an attempt found out about a study's lesions.
type regioned struct {
	record *catalog.RegionRecord // nil: nothing says anything about lesions
	packs  []catalog.Pack        // region packs
	cites  []catalog.Cite
	// citations are those by other studies that were looked at.
	citations []catalog.Citation
	holds     []catalog.Hold
	changed   bool // against the parent
}

// makeRegions plans what is kept of the study's lesions, and writes it if the plan is another than the parent's. Without anything
// that may say where lesions are it looks at nothing but indexes.
func (d *derivation) makeRegions(ctx context.Context, res *result) (*regioned, error) {
	defer d.times.add(&d.times.Regions, time.Now())
	view := d.assemble(res.volumes)
	view.Manifest.Withdrawn = mergeWithdrawn(view.Manifest.Withdrawn, res.withdrawn)
	view.Manifest.Quarantined = d.stillQuarantined(mergeQuarantined(view.Manifest.Quarantined, res.quarantined), res)
	view.Manifest.Annotations = mergeAnnotations(view.Manifest.Annotations, res.annotations)
	citations, err := d.db.Citations(ctx, d.key)
	if err != nil {
		return nil, err
	}
	had := view.Manifest.Regions
	out := &regioned{record: had, citations: citations}
	if d.parent != nil {
		for _, p := range d.parent.Manifest.Packs {
			if p.Class == catalog.ClassRegion {
				out.packs = append(out.packs, p)
			}
		}
	}
	if had != nil && (view.Manifest.Purged(catalog.ClassFull) != nil || view.Manifest.Purged(catalog.ClassResult) != nil) {
		d.freeze(out, res, len(citations) != len(view.Manifest.CitedBy))
		return out, nil
	}
	if had == nil && len(citations) == 0 && len(view.Manifest.Annotations) == 0 && !d.overlays.Load() && !hasEvidence(view) {
		return out, nil
	}
	g, err := d.gather(ctx, view)
	if err != nil {
		return nil, err
	}
	if err := g.annotations(ctx); err != nil {
		return nil, err
	}
	if err := g.fromOthers(ctx, citations); err != nil {
		return nil, err
	}
	created := d.job.Created
	if had != nil { // outputs that stay what they are stay the same bytes
		old, err := ReadRecord(ctx, d.store, had)
		if err != nil {
			return nil, err
		}
		created = old.Created
	}
	if had != nil && g.incomplete {
		d.freeze(out, res, true)
		return out, nil
	}
	out.cites, out.holds = g.cites(), g.holds(d.now().UTC().Truncate(time.Millisecond))
	g.created = created.UTC().Truncate(time.Second)
	rec := roi.Plan(&g.Study, d.regions, g.created)
	out.changed = !slices.EqualFunc(out.cites, view.Manifest.Cites, func(a, b catalog.Cite) bool {
		return a.StudyUID == b.StudyUID && a.Evidence == b.Evidence && slices.Equal(a.SOPUIDs, b.SOPUIDs)
	})
	out.changed = out.changed || len(withHolds(view.Manifest.Holds, out.holds)) > len(view.Manifest.Holds)
	if had != nil && had.Plan == rec.Plan {
		return out, nil
	}
	out.changed = true
	if out.packs, err = d.writeRegions(ctx, g, rec, len(res.volumes)+len(res.previews)); err != nil {
		return nil, err
	}
	out.record, err = d.putRecord(ctx, g, rec)
	return out, err
}

// StateReopened is that of a region record that was planned from images or documents that are purged: something came since that no plan can
// take into account. What is kept stays kept, and a person must look.
const StateReopened = "reopened"

// freeze keeps regions, record and citations as they are: planned anew without what was purged they would lose lesions. If something came, what is
// known of the study's lesions is not settled any more: another state, and another plan than the one that a person may have answered.
func (d *derivation) freeze(out *regioned, res *result, cited bool) {
	m := d.parent.Manifest
	out.cites = m.Cites
	if out.record == nil || len(res.volumes)+len(res.annotations) == 0 && !cited {
		return
	}
	sum := sha256.New()
	fmt.Fprintln(sum, out.record.Plan, cited)
	for _, v := range res.volumes {
		fmt.Fprintln(sum, v.pack.SHA256)
	}
	for _, a := range res.annotations {
		fmt.Fprintln(sum, a.SHA256)
	}
	rec := *out.record
	rec.State, rec.Plan = StateReopened, hex.EncodeToString(sum.Sum(nil))
	out.record, out.changed = &rec, true
}

// writeRegions writes what a record keeps: derived instances, and whole ones as they are stored, a volume for each series. It fills in
// what the record says of them. first is the number of the first pack.
func (d *derivation) writeRegions(ctx context.Context, g *gathering, rec *roi.Record, first int) ([]catalog.Pack, error) {
	if len(rec.Regions) == 0 {
		return nil, nil
	}
	free, err := d.puts.Acquire(ctx, d.store.Capabilities().PutBytes)
	if err != nil {
		return nil, err
	}
	defer free()
	w := &regionWriter{g: g, v: newVolumes(ctx, d), copied: map[string]bool{}, decoders: sync.Pool{New: func() any { return pack.NewDecoders(d.set) }}}
	w.v.number = first
	made, err := w.all(ctx, rec)
	if err != nil {
		w.v.abort(err)
		return nil, err
	}
	rec.Regions = made
	list, err := w.v.close()
	if err != nil {
		return nil, err
	}
	var packs []catalog.Pack
	rec.Totals.Bytes, rec.Totals.Regions = 0, len(made)
	for _, v := range list {
		packs = append(packs, v.pack)
		rec.Totals.Bytes += v.pack.Size
	}
	shareBytes(rec)
	return packs, nil
}

// shareBytes divides the bytes of the packs among the regions: what they share, headers and indexes, by what each has of its own.
func shareBytes(rec *roi.Record) {
	var sum, before, given int64
	for i := range rec.Regions {
		sum += rec.Regions[i].Bytes
	}
	for i := range rec.Regions {
		before += rec.Regions[i].Bytes
		upTo := rec.Totals.Bytes
		if before < sum {
			upTo = int64(float64(rec.Totals.Bytes) * float64(before) / float64(sum))
		}
		rec.Regions[i].Bytes, given = upTo-given, upTo
	}
}

type regionWriter struct {
	g      *gathering
	v      *volumes
	copied map[string]bool // instances that are kept whole, each once
	// decoders are for one goroutine each.
	decoders sync.Pool
}

// all writes every region. An instance that cannot be cropped after all is kept whole, in a region of its own.
func (w *regionWriter) all(ctx context.Context, rec *roi.Record) ([]roi.Region, error) {
	var out []roi.Region
	for i := range rec.Regions {
		r := rec.Regions[i]
		if i > 0 && rec.Regions[i-1].SeriesUID != r.SeriesUID && w.v.cur != nil {
			if err := w.v.closeCurrent(); err != nil {
				return nil, err
			}
		}
		whole, err := w.region(ctx, &r)
		if err != nil {
			return nil, err
		}
		if len(r.Items) > 0 {
			out = append(out, r)
		}
		if len(whole.Items) > 0 {
			out = append(out, whole)
		}
	}
	return out, nil
}

// region writes one region. What of it cannot be cropped after all comes back as a region of whole instances.
func (w *regionWriter) region(ctx context.Context, r *roi.Region) (whole roi.Region, err error) {
	whole = *r
	whole.ID, whole.Mode, whole.OutSeriesUID, whole.Items = r.ID+"w", roi.ModeSlice, "", nil
	crops := w.begin(ctx, r)
	defer crops.stop()
	var done []roi.Item
	for k, it := range r.Items {
		if ctx.Err() != nil {
			return whole, context.Cause(ctx)
		}
		in, ok := w.g.images[it.SOPUID]
		if !ok {
			return whole, fmt.Errorf("plan of regions: image %s is not in the study", printableUID(it.SOPUID))
		}
		fail := func(err error) (roi.Region, error) {
			return whole, fmt.Errorf("region %s: image %s: %w", r.ID, printableUID(it.SOPUID), err)
		}
		var n int64
		var lacks *crop.UnsupportedError
		if r.Mode == roi.ModeSlice {
			if n, err = w.slice(ctx, in, &it); err != nil {
				return fail(err)
			}
			r.Bytes += n
			done = append(done, it)
			continue
		}
		made, err := crops.next(ctx, k)
		switch {
		case errors.As(err, &lacks):
			whole.Why, it.Frames = r.Why+"; whole: "+lacks.What, nil
			if n, err = w.slice(ctx, in, &it); err != nil {
				return fail(err)
			}
			whole.Items, whole.Bytes = append(whole.Items, it), whole.Bytes+n
		case err != nil:
			return fail(err)
		default:
			it.OutSOPUID, it.OutFile, it.SampleSHA256, r.OutSeriesUID = made.SOPUID, made.FileSHA256, made.SampleSHA256, made.SeriesUID
			before := w.v.size()
			if err := w.v.addTo(catalog.ClassRegion, made.stored); err != nil {
				return fail(err)
			}
			r.Bytes += max(w.v.size()-before, 0)
			made.release()
			done = append(done, it)
		}
	}
	r.Items = done
	return whole, nil
}

// slice copies an instance as it is stored and returns how many bytes that takes: none if it is there already.
func (w *regionWriter) slice(ctx context.Context, in study.Instance, it *roi.Item) (int64, error) {
	it.OutSOPUID, it.OutFile, it.SampleSHA256 = in.SOPUID, hex.EncodeToString(in.FileSHA256[:]), ""
	if in.SampleSHA256 != (pack.Digest{}) {
		it.SampleSHA256 = hex.EncodeToString(in.SampleSHA256[:])
	}
	if w.copied[in.SOPUID] {
		return 0, nil
	}
	w.copied[in.SOPUID] = true
	return w.v.copy(ctx, catalog.ClassRegion, in.Volume, in.Index)
}

// cropped is a derived instance that is ready to be written.
type cropped struct {
	crop.Made
	stored  *prepared
	release func()
}

// crops makes the derived instances of a region, several at a time; they are taken in order.
type crops struct {
	cancel context.CancelFunc
	ready  []chan cropResult
	window chan struct{}
	wait   sync.WaitGroup
}

type cropResult struct {
	made *cropped
	err  error
}

// begin starts to make the crops of a region; of whole slices there are none.
func (w *regionWriter) begin(ctx context.Context, r *roi.Region) *crops {
	c := &crops{cancel: func() {}}
	if r.Mode != roi.ModeCrop {
		return c
	}
	ctx, c.cancel = context.WithCancel(ctx)
	c.window = make(chan struct{}, w.g.d.cropsAtOnce())
	for range r.Items {
		c.ready = append(c.ready, make(chan cropResult, 1))
	}
	c.wait.Go(func() {
		for k := range r.Items {
			in, ok := w.g.images[r.Items[k].SOPUID]
			select {
			case c.window <- struct{}{}:
			case <-ctx.Done():
			}
			if ctx.Err() != nil || !ok {
				c.ready[k] <- cropResult{err: ctx.Err()}
				continue
			}
			it := r.Items[k]
			c.wait.Go(func() {
				made, err := w.crop(ctx, in, r.Rect, it)
				c.ready[k] <- cropResult{made, err}
			})
		}
	})
	return c
}

// cropsAtOnce is how many derived instances of a study are made at a time.
func (d *derivation) cropsAtOnce() int {
	if d.sequential {
		return 1
	}
	return 2 * runtime.GOMAXPROCS(0)
}

// next waits for crop k. It is the caller's until its release.
func (c *crops) next(ctx context.Context, k int) (*cropped, error) {
	select {
	case x := <-c.ready[k]:
		<-c.window
		return x.made, x.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// stop ends what is under way and gives up what was not taken.
func (c *crops) stop() {
	c.cancel()
	c.wait.Wait()
	for _, ready := range c.ready {
		select {
		case x := <-ready:
			if x.made != nil {
				x.made.release()
			}
		default:
		}
	}
}

// crop makes a derived instance, proves it, and makes its stored form as that of any other instance.
func (w *regionWriter) crop(ctx context.Context, in study.Instance, rect roi.Rect, it roi.Item) (*cropped, error) {
	d := w.g.d
	f, src, err := in.Scan(ctx)
	if err != nil {
		return nil, err
	}
	frames := max(len(it.Frames), 1)
	free, err := d.budget.Acquire(ctx, 3*int64(frames)*int64(rect.W)*int64(rect.H)*6+2*in.Image.FrameBytes()+256<<10)
	if err != nil {
		return nil, err
	}
	out := &cropped{release: sync.OnceFunc(free)}
	defer func() {
		if err != nil {
			out.release()
		}
	}()
	dec := w.decoders.Get().(*pack.Decoders)
	defer w.decoders.Put(dec)
	if f.OverlayInPixels() { // what Scan gives has no bits of frames
		file, size, openErr := w.g.view.Received(ctx, dec, in)
		if err = openErr; err != nil {
			return nil, err
		}
		defer file.Close()
		if f, err = dcm.Scan(file, size, dcm.Limits{}); err != nil {
			return nil, err
		}
		src = file
	}
	spec := crop.Spec{Rect: crop.Rect(rect), Frames: it.Frames, File: it.File, Rules: roi.RuleVersion, Created: w.g.created, Build: "RADTIER ROI " + roi.RuleVersion}
	if f.SeriesNumber > 0 && f.SeriesNumber < 1000 { // the same for all crops of a series and rectangle: they are one series
		spec.Number = f.SeriesNumber
	}
	last := -1
	var view codecs.View
	frame := func(i int) (codecs.View, error) { // Make and Check ask for the same frames
		if i == last {
			return view, nil
		}
		s, err := w.g.view.Samples(ctx, dec, in, f, src, i)
		if err == nil {
			last, view = i, s.View
		}
		return s.View, err
	}
	var buf bytes.Buffer
	if out.Made, err = crop.Make(&buf, src, f, spec, frame); err != nil {
		return nil, err
	}
	raw := buf.Bytes()
	if err = crop.Check(src, f, dcm.Bytes(raw), int64(len(raw)), spec, frame); err != nil {
		return nil, err
	}
	df, err := dcm.Scan(dcm.Bytes(raw), int64(len(raw)), dcm.Limits{})
	if err != nil {
		return nil, err
	}
	p, err := d.prepare(ctx, df, recipeFor(df, d.set, d.codecs), raw, df.Pieces(pack.BulkBytes))
	if err != nil {
		return nil, err
	}
	out.stored, out.release = p, sync.OnceFunc(func() { d.release(p); free() })
	p.meta.FileSHA256 = sha256.Sum256(raw)
	if got := hex.EncodeToString(p.meta.SampleSHA256[:]); p.meta.SampleSHA256 != (pack.Digest{}) && got != out.SampleSHA256 {
		err = errors.New("the samples that were stored are not those of the crop")
		return nil, err
	}
	return out, nil
}

// putRecord stores the record and, if there are lesions, their picture, and reads them back.
func (d *derivation) putRecord(ctx context.Context, g *gathering, rec *roi.Record) (*catalog.RegionRecord, error) {
	raw, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	key := catalog.RecordKey(d.key, d.job.ID, d.job.Attempt)
	sum, err := d.putHot(ctx, key, raw)
	if err != nil {
		return nil, err
	}
	out := &catalog.RegionRecord{Key: key, SHA256: sum, Size: int64(len(raw)), State: string(rec.State), Plan: rec.Plan,
		Sources: rec.Totals.Sources, Lesions: rec.Totals.Lesions, Regions: rec.Totals.Regions, Bytes: rec.Totals.Bytes, Since: d.now().UTC().Truncate(time.Millisecond)}
	if len(rec.Lesions) == 0 {
		return out, nil
	}
	free, err := d.budget.Acquire(ctx, pictureBytes)
	if err != nil {
		return nil, err
	}
	defer free()
	img, err := DrawRegions(ctx, g.view, g.dec, rec, d.phi)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return nil, err
	}
	p := &catalog.Picture{Key: catalog.PictureKey(d.key, d.job.ID, d.job.Attempt), Size: int64(buf.Len())}
	if p.SHA256, err = d.putHot(ctx, p.Key, buf.Bytes()); err != nil {
		return nil, err
	}
	out.Picture = p
	return out, nil
}

// pictureBytes is what drawing the regions takes: the canvas, and a frame at a time.
const pictureBytes = 32 << 20

// putHot stores an object in the hot tier, reads it back, and returns its SHA-256 in hex.
func (d *derivation) putHot(ctx context.Context, key string, raw []byte) (string, error) {
	sum := sha256.Sum256(raw)
	if _, err := d.store.Put(ctx, key, bytes.NewReader(raw), objstore.PutOptions{Class: d.class, Size: int64(len(raw)), SHA256: sum}); err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	if _, err := readBack(ctx, d.store, key, pack.Summary{Size: int64(len(raw)), SHA256: sum}, nil); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum[:]), nil
}
