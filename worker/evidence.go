package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/roi/evidence"
)

// hasEvidence reports whether anything in the indexes of a study's volumes may say where lesions are. Overlays are not seen there.
func hasEvidence(view *study.Study) bool {
	for _, v := range view.Volumes {
		for i := range v.Index.Instances {
			if in := &v.Index.Instances[i]; evidence.MayBeEvidence(in.ClassUID, "", in.Image != nil || len(in.Frames) > 0) {
				return true
			}
		}
	}
	return false
}

// gathering collects what planning looks at.
type gathering struct {
	d    *derivation
	view *study.Study
	dec  *pack.Decoders
	lim  evidence.Limits
	roi.Study
	own     []*evidence.Document          // of this study's objects
	files   map[*evidence.Document]string // SHA-256 of what they were read from
	images  map[string]study.Instance     // by SOP Instance UID
	created time.Time                     // of the plan
	// incomplete: documents that an earlier plan may have read are purged.
	incomplete bool
}

// gather reads headers of all images and all documents of a study. The error is that of a store, or the end of ctx: whatever an object
// says or fails to say is in its document.
func (d *derivation) gather(ctx context.Context, view *study.Study) (*gathering, error) {
	g := &gathering{d: d, view: view, dec: pack.NewDecoders(d.set), images: map[string]study.Instance{}, files: map[*evidence.Document]string{},
		Study: roi.Study{Tenant: d.key.Tenant, UID: d.key.UID}}
	for _, p := range view.Manifest.Packs {
		if p.Class == catalog.ClassFull {
			g.FullBytes += p.Size
		}
	}
	if n := len(view.Manifest.Quarantined); n > 0 {
		g.Unreadable = append(g.Unreadable, quarantineText(n))
	}
	for _, in := range view.Select("", "", false, false) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := g.instance(ctx, in); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// mayBeLossy reports whether samples in a transfer syntax need not be those that were acquired: a crop of them would look as if they were.
func mayBeLossy(syntax string) bool {
	switch strings.TrimPrefix(syntax, "1.2.840.10008.1.2.4.") {
	case "50", "51", "81", "91", "203":
		return true
	}
	return false
}

func quarantineText(n int) string {
	if n == 1 {
		return "a received file is in quarantine"
	}
	return fmt.Sprintf("%d received files are in quarantine", n)
}

// passing reports whether an error is none of the object's: the study is tried again.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || objstore.IsTransient(err) || errors.Is(err, objstore.ErrArchived)
}

func (g *gathering) instance(ctx context.Context, in study.Instance) error {
	f, r, err := in.Scan(ctx)
	if err != nil {
		if passing(ctx, err) {
			return err
		}
		g.Unreadable = append(g.Unreadable, "the header of an instance cannot be read: "+printableUID(in.SOPUID))
		return nil
	}
	if evidence.MayBeEvidence(in.ClassUID, f.Modality, f.Pixel != nil) {
		doc, err := g.read(ctx, in)
		if err != nil {
			return err
		}
		if in.Versions > 1 { // which of them is right nobody knows
			doc.Excluded = append(doc.Excluded, evidence.Excluded{Reason: fmt.Sprintf("came in %d versions under one UID, of which the last is read", in.Versions), Blocks: true})
		}
		g.take(doc, fmt.Sprintf("%x", in.FileSHA256))
		return nil
	}
	if f.Pixel == nil || f.Image == nil || classOf(in.ClassUID) != catalog.ClassFull {
		return nil
	}
	ds, err := dcm.ReadDataset(r, f, dcm.Limits{})
	if err != nil {
		g.Unreadable = append(g.Unreadable, "the header of an image cannot be read: "+printableUID(in.SOPUID))
		return nil
	}
	im := roi.Describe(ds, fmt.Sprintf("%x", in.FileSHA256))
	if im.Uncroppable == "" && mayBeLossy(in.Syntax) {
		im.Uncroppable = "received in a syntax that may be lossy"
	}
	if im.Uncroppable == "" && in.SampleSHA256 == (pack.Digest{}) {
		im.Uncroppable = "kept as received: its samples are not decoded here"
	}
	for n := range min(len(im.Frames), len(in.Frames)) {
		im.Frames[n].Bytes = in.Volume.Index.Entries[in.Frames[n].Entry].Size
	}
	if len(in.Frames) != len(im.Frames) && im.Uncroppable == "" {
		im.Uncroppable = "kept as received: its frames cannot be told apart"
	}
	g.images[im.SOPUID] = in
	g.Images = append(g.Images, im)
	if evidence.HasOverlays(f) {
		doc, err := g.overlays(ctx, in, f, r)
		if err != nil {
			return err
		}
		if doc != nil {
			g.take(doc, im.File)
		}
	}
	return nil
}

func (g *gathering) take(doc *evidence.Document, file string) {
	g.files[doc] = file
	g.own = append(g.own, doc)
	g.Documents = append(g.Documents, doc)
}

// read reads an annotation object. Of those with pixel data, segmentations, the frames are evidence.
func (g *gathering) read(ctx context.Context, in study.Instance) (*evidence.Document, error) {
	f, r, err := in.Scan(ctx)
	if err != nil {
		if passing(ctx, err) {
			return nil, err
		}
		return broken(in, "its header cannot be read"), nil
	}
	read := func(f *dcm.File, r io.ReaderAt) *evidence.Document { return evidence.Read(r, f, g.lim) }
	if f.Pixel == nil {
		return g.safely(in, f, r, read), nil
	}
	return g.whole(ctx, in, read)
}

// overlays reads the overlay planes of an image. f and r are what Scan gave, in which frames are empty.
func (g *gathering) overlays(ctx context.Context, in study.Instance, f *dcm.File, r io.ReaderAt) (*evidence.Document, error) {
	read := func(f *dcm.File, r io.ReaderAt) *evidence.Document {
		ds, err := dcm.ReadDataset(r, f, dcm.Limits{MaxValue: 64 << 20})
		if err != nil {
			return broken(in, "its data set cannot be read")
		}
		return evidence.ReadOverlays(r, f, ds, g.lim)
	}
	if !f.OverlayInPixels() {
		return g.safely(in, f, r, read), nil
	}
	return g.whole(ctx, in, read)
}

// broken is the document of an object that cannot be read at all.
func broken(in study.Instance, why string) *evidence.Document {
	return &evidence.Document{Kind: evidence.KindReport, SeriesUID: in.SeriesUID, SOPUID: in.SOPUID, ClassUID: in.ClassUID, Problems: []evidence.Problem{{What: why}}}
}

// whole rebuilds the received file and gives it to a reader of evidence.
func (g *gathering) whole(ctx context.Context, in study.Instance, read func(*dcm.File, io.ReaderAt) *evidence.Document) (*evidence.Document, error) {
	free, err := g.d.budget.Acquire(ctx, min(in.FileSize, g.d.wholeFile)+64<<10)
	if err != nil {
		return nil, err
	}
	defer free()
	file, size, err := g.view.Received(ctx, g.dec, in)
	if err != nil {
		var lacks *codecs.UnsupportedError
		if passing(ctx, err) || !errors.As(err, &lacks) {
			return nil, err
		}
		return broken(in, "its pixel data cannot be decoded here"), nil
	}
	defer file.Close()
	f, err := dcm.Scan(file, size, dcm.Limits{})
	if err != nil {
		return broken(in, "its structure cannot be read"), nil
	}
	return g.safely(in, f, file, read), nil
}

// safely calls a reader of evidence. A fault of the program makes the object unreadable, not the study.
func (g *gathering) safely(in study.Instance, f *dcm.File, r io.ReaderAt, read func(*dcm.File, io.ReaderAt) *evidence.Document) (doc *evidence.Document) {
	defer func() {
		if v := recover(); v != nil {
			g.d.log.Error("panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			doc = broken(in, "the program panicked on it")
		}
		if doc != nil {
			doc.StudyUID, doc.SeriesUID, doc.SOPUID = g.view.Manifest.StudyUID, in.SeriesUID, in.SOPUID
		}
	}()
	return read(f, r)
}

// holds are what documents ask for by themselves: key object selections for litigation.
func (g *gathering) holds(at time.Time) (out []catalog.Hold) {
	for _, doc := range g.own {
		if doc.Litigation {
			sum := sha256.Sum256([]byte(doc.SOPUID))
			out = append(out, catalog.Hold{ID: fmt.Sprintf("litigation-%x", sum[:6]), Kind: catalog.HoldLegal, Reason: "a document of the study marks it for litigation, or against deletion", Since: at})
		}
	}
	return out
}

// withHolds adds holds that are not there yet, and no more than there can be: the study is held by the others. Only a person lifts them.
func withHolds(have, more []catalog.Hold) []catalog.Hold {
	out := have[:len(have):len(have)]
	for _, h := range more {
		if len(out) < catalog.MaxHolds && !slices.ContainsFunc(out, func(o catalog.Hold) bool { return o.ID == h.ID }) {
			out = append(out, h)
		}
	}
	return out
}

// cites lists the images of other studies that this study's documents refer to.
func (g *gathering) cites() []catalog.Cite {
	at := map[string]int{}
	says := map[string][]string{} // digests of the documents that refer to a study
	var out []catalog.Cite
	for _, doc := range g.own {
		for _, ref := range doc.References {
			if ref.StudyUID == "" || ref.StudyUID == g.UID {
				continue
			}
			i, ok := at[ref.StudyUID]
			if !ok {
				i = len(out)
				at[ref.StudyUID] = i
				out = append(out, catalog.Cite{StudyUID: ref.StudyUID})
			}
			out[i].SOPUIDs = append(out[i].SOPUIDs, ref.SOPUID)
			if sum := g.files[doc]; !slices.Contains(says[ref.StudyUID], sum) {
				says[ref.StudyUID] = append(says[ref.StudyUID], sum)
			}
		}
	}
	for i := range out {
		slices.Sort(out[i].SOPUIDs)
		out[i].SOPUIDs = slices.Compact(out[i].SOPUIDs)
		slices.Sort(says[out[i].StudyUID])
		out[i].Evidence = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(says[out[i].StudyUID], "\n"))))
	}
	slices.SortFunc(out, func(a, b catalog.Cite) int { return strings.Compare(a.StudyUID, b.StudyUID) })
	if len(out) > catalog.MaxCites {
		g.Unreadable = append(g.Unreadable, fmt.Sprintf("its documents refer to %d other studies, the most is %d", len(out), catalog.MaxCites))
		out = out[:catalog.MaxCites]
	}
	return out
}

// fromOthers adds the documents of other studies that refer to this one's images.
func (g *gathering) fromOthers(ctx context.Context, list []catalog.Citation) error {
	for _, c := range list {
		other, err := g.d.openHead(ctx, catalog.StudyKey{Tenant: g.d.key.Tenant, UID: c.StudyUID})
		if err != nil {
			return fmt.Errorf("a study that refers to this one: %w", err)
		}
		if other == nil {
			continue
		}
		if other.Manifest.Purged(catalog.ClassResult) != nil {
			g.incomplete = true
		}
		x := &gathering{d: g.d, view: other, dec: g.dec, lim: g.lim, images: map[string]study.Instance{}}
		for _, in := range other.Select("", "", false, false) {
			if !evidence.MayBeEvidence(in.ClassUID, "", in.Image != nil || len(in.Frames) > 0) {
				continue
			}
			doc, err := x.read(ctx, in)
			if err != nil {
				return err
			}
			doc.StudyUID = c.StudyUID
			if slices.ContainsFunc(doc.References, func(ref evidence.Image) bool {
				_, ours := g.images[ref.SOPUID]
				return ours || ref.StudyUID == g.UID
			}) {
				g.Documents = append(g.Documents, doc)
			}
		}
	}
	return nil
}
