package roi

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/roi/evidence"
)

// Plan plans what of a study is kept for its lesions. It is a pure function; created is the time of the job that asks. What the record
// says about written objects (UIDs of derived instances, digests, bytes) is still empty.
func Plan(s *Study, p Policy, created time.Time) *Record {
	s = sorted(s)
	replaced := supersededBy(s.Documents)
	var used []*evidence.Document
	for _, d := range s.Documents {
		if replaced[d] == "" {
			used = append(used, d)
		}
	}
	stacks := stacksOf(s.Images)
	founds, lost := newPlace(s, &p, stacks).findings(used)
	lesions := lesionsOf(founds)
	slices.SortStableFunc(lesions, func(a, b *lesion) int { return strings.Compare(a.sources()[0], b.sources()[0]) })

	r := &Record{Schema: RecordSchema, Rules: RuleVersion, Policy: p.Digest(), Tenant: s.Tenant, StudyUID: s.UID, Created: created.UTC(),
		Sources: []Source{}, Lesions: []Lesion{}, Regions: []Region{}}
	resolved := map[*evidence.Document]int{}
	for _, f := range founds {
		resolved[f.doc]++
	}
	ids := map[*lesion]string{}
	number := map[*stack]int{}
	for i, st := range stacks {
		number[st] = i
	}
	var parts []*part
	var alone []*loose
	for i, l := range lesions {
		ids[l] = fmt.Sprintf("L%d", i+1)
		l.settle(&p)
		mine := partsOf(l, stacks, &p)
		parts = append(parts, mine...)
		alone = append(alone, loosely(l, framesOf(mine))...)
	}
	for _, x := range parts {
		x.whole = x.decide(&p)
	}
	for _, l := range lesions {
		for _, f := range l.unseen(parts) {
			lost[f.doc] = append(lost[f.doc], missing{"an image that shows " + f.finding.Item})
		}
	}
	for _, d := range s.Documents {
		r.Sources = append(r.Sources, sourceRecord(s, d, replaced[d], resolved[d], lost[d]))
	}
	sortParts(parts, number)
	parts = merge(parts, &p)
	for _, x := range parts { // together they may be so large that a crop does not pay
		x.whole = x.decide(&p)
	}
	sortParts(parts, number)
	r.Regions = regions(parts, alone, ids, &p)
	for _, l := range lesions {
		r.Lesions = append(r.Lesions, l.record(ids[l], parts))
	}
	r.Totals = totals(s, r)
	r.settle(s, used, lesions)
	r.Plan = digestOf(s, r)
	return r
}

// sorted puts images and documents of a study in an order of their own: nothing depends on that in which they came.
func sorted(s *Study) *Study {
	out := *s
	out.Images = slices.Clone(s.Images)
	slices.SortStableFunc(out.Images, func(a, b Image) int {
		return cmp.Or(strings.Compare(a.SeriesUID, b.SeriesUID), strings.Compare(a.SOPUID, b.SOPUID), strings.Compare(a.File, b.File))
	})
	for i := range out.Images { // a series has one frame of reference, also where it does not say which (PS3.3 C.7.4.1)
		im := &out.Images[i]
		if im.ForUID == "" && slices.ContainsFunc(im.Frames, func(f Frame) bool { return f.Plane != nil }) {
			im.ForUID = "series " + im.SeriesUID
			if im.Uncroppable == "" {
				im.Uncroppable = "no frame of reference"
			}
		}
	}
	out.Documents = slices.Clone(s.Documents)
	slices.SortStableFunc(out.Documents, func(a, b *evidence.Document) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.SOPUID, b.SOPUID), cmp.Compare(a.Revision, b.Revision))
	})
	out.Unreadable = slices.Sorted(slices.Values(s.Unreadable))
	return &out
}

// supersededBy says of documents which later one stands in their place: one that names them as
// its predecessor and is no less verified and final (PS3.3 C.17.2.5, Predecessor Documents), or a later revision.
func supersededBy(docs []*evidence.Document) map[*evidence.Document]string {
	by := map[*evidence.Document]string{}
	later := map[*evidence.Document][]*evidence.Document{}
	at := map[string][]*evidence.Document{}
	for _, d := range docs {
		at[d.SOPUID] = append(at[d.SOPUID], d)
	}
	for _, d := range docs {
		if len(d.Problems) == 0 {
			for _, uid := range d.Replaces {
				for _, old := range at[uid] {
					if old != d && (d.Verified || !old.Verified) && (d.Final || !old.Final) {
						later[old] = append(later[old], d)
					}
				}
			}
		}
		for _, other := range at[d.SOPUID] {
			if d.Kind == evidence.KindAnnotation && other.Kind == d.Kind && other.Revision > d.Revision {
				by[d] = fmt.Sprintf("revision %d", other.Revision)
			}
		}
	}
	// Whoever replaces must stand itself, or be replaced by one that does: documents that name one another in a circle all stand.
	earlier := map[*evidence.Document][]*evidence.Document{}
	var standing []*evidence.Document
	for _, d := range docs {
		if len(later[d]) == 0 {
			standing = append(standing, d)
		}
		for _, l := range later[d] {
			earlier[l] = append(earlier[l], d)
		}
	}
	for len(standing) > 0 {
		l := standing[0]
		standing = standing[1:]
		for _, old := range earlier[l] {
			if by[old] == "" {
				by[old] = l.SOPUID
				standing = append(standing, old)
			}
		}
	}
	return by
}

func sourceRecord(s *Study, d *evidence.Document, replaced string, resolved int, lost []missing) Source {
	r := Source{SeriesUID: d.SeriesUID, SOPUID: d.SOPUID, Kind: string(d.Kind), Complete: d.Complete && !d.Machine, Findings: resolved}
	if d.StudyUID != s.UID {
		r.StudyUID = d.StudyUID
	}
	for _, e := range d.Excluded {
		r.Excluded = append(r.Excluded, e.String())
	}
	why := map[string]bool{}
	switch {
	case replaced != "":
		r.State, r.Findings = SourceExcluded, 0
		why["replaced by "+replaced] = true
	case len(d.Problems) > 0:
		r.State = SourceUnreadable
		for _, p := range d.Problems {
			why[p.String()] = true
		}
	case len(lost) > 0:
		r.State = SourceUnresolved
		for _, m := range lost {
			why["not in the study: "+m.what] = true
		}
	case resolved > 0:
		r.State = SourceUsed
	case len(d.Excluded) > 0:
		r.State = SourceExcluded
		why["nothing in it is a lesion"] = true
	case len(d.Findings) > 0:
		r.State = SourceNoGeometry
		why["what it marks lies in another study"] = true
	default:
		r.State = SourceNoGeometry
	}
	r.Reasons = slices.Sorted(maps.Keys(why))
	if r.Reasons = r.Reasons[:min(len(r.Reasons), maxReasons)]; len(why) > maxReasons {
		r.Reasons = append(r.Reasons, fmt.Sprintf("and %d more", len(why)-maxReasons))
	}
	return r
}

const referenceSlices = "reference slices, for orientation"

// maxReasons bounds what is said of one source.
const maxReasons = 20

func framesOf(parts []*part) map[frameID]bool {
	placed := map[frameID]bool{}
	for _, x := range parts {
		for i := range x.keep {
			placed[frameID{x.stack.slices[i].image, x.stack.slices[i].frame}] = true
		}
	}
	return placed
}

// regions makes the record's regions: crops, then whole slices, by series.
func regions(parts []*part, alone []*loose, ids map[*lesion]string, p *Policy) []Region {
	out := []Region{}
	whole := map[string]*Region{} // whole slices of a series are one region for each reason
	named := func(list []*lesion) []string {
		var names []string
		for _, l := range list {
			names = append(names, ids[l])
		}
		slices.SortFunc(names, byNumber)
		return slices.Compact(names)
	}
	keepWhole := func(im *Image, why string, uncertain, reference bool, margin Margin, lesions []string) {
		key := fmt.Sprint(im.SeriesUID, "\x00", why, "\x00", uncertain)
		r := whole[key]
		if r == nil {
			r = &Region{SeriesUID: im.SeriesUID, Mode: ModeSlice, Why: why, Uncertain: uncertain, Rect: Rect{0, 0, im.Columns, im.Rows}}
			whole[key] = r
		}
		r.Margin = Margin{max(r.Margin.InPlane, margin.InPlane), max(r.Margin.Along, margin.Along)}
		r.Rect.W, r.Rect.H = max(r.Rect.W, im.Columns), max(r.Rect.H, im.Rows)
		r.Lesions = append(r.Lesions, lesions...)
		i := slices.IndexFunc(r.Items, func(it Item) bool { return it.SOPUID == im.SOPUID })
		if i < 0 {
			i = len(r.Items)
			r.Items = append(r.Items, Item{SOPUID: im.SOPUID, File: im.File})
		}
		r.Items[i].Reference = r.Items[i].Reference || reference
	}
	for _, x := range parts {
		lesions := named(x.lesions)
		if items := x.items(); x.whole == "" {
			out = append(out, Region{SeriesUID: x.stack.series, Mode: ModeCrop, Why: x.why, Rect: x.rect(p), Lesions: lesions, Uncertain: x.uncertain, Margin: x.margin, Items: items})
		} else if x.framesPay(items) {
			out = append(out, Region{SeriesUID: x.stack.series, Mode: ModeCrop, Why: x.why + "; whole slices: " + x.whole, Rect: Rect{0, 0, x.stack.columns, x.stack.rows},
				Lesions: lesions, Uncertain: x.uncertain, Margin: x.margin, Items: items})
		} else {
			for i := range x.stack.slices {
				if x.keep[i] {
					keepWhole(x.stack.slices[i].image, x.why+"; whole slices: "+x.whole, x.uncertain, slices.Contains(x.references, i), x.margin, lesions)
				}
			}
			continue
		}
		for _, i := range x.references {
			if q := &x.stack.slices[i]; len(q.image.Frames) == 1 {
				keepWhole(q.image, referenceSlices, false, true, Margin{}, lesions)
			} else if x.whole == "" { // one whole frame of a multi-frame instance
				out = append(out, Region{SeriesUID: x.stack.series, Mode: ModeCrop, Why: referenceSlices, Rect: Rect{0, 0, x.stack.columns, x.stack.rows}, Lesions: lesions,
					Items: []Item{{SOPUID: q.image.SOPUID, File: q.image.File, Frames: []int{q.frame + 1}, Reference: true}}})
			}
		}
	}
	for _, x := range alone {
		keepWhole(x.image, x.why, false, true, Margin{}, named(x.lesions))
	}
	for _, k := range slices.Sorted(maps.Keys(whole)) {
		r := whole[k]
		slices.SortFunc(r.Lesions, byNumber)
		r.Lesions = slices.Compact(r.Lesions)
		out = append(out, *r)
	}
	slices.SortStableFunc(out, func(a, b Region) int {
		return cmp.Or(strings.Compare(a.SeriesUID, b.SeriesUID), strings.Compare(string(a.Mode), string(b.Mode)))
	})
	for i := range out {
		out[i].ID = fmt.Sprintf("R%d", i+1)
	}
	return out
}

// byNumber orders names like L2 and L10.
func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

// items are the instances of a part by position, with their frames.
func (x *part) items() []Item {
	var out []Item
	at := map[*Image]int{}
	for i := range x.stack.slices {
		if !x.keep[i] {
			continue
		}
		q := &x.stack.slices[i]
		n, ok := at[q.image]
		if !ok {
			n = len(out)
			at[q.image] = n
			out = append(out, Item{SOPUID: q.image.SOPUID, File: q.image.File})
		}
		if len(q.image.Frames) > 1 {
			out[n].Frames = append(out[n].Frames, q.frame+1)
			out[n].Reference = out[n].Reference || slices.Contains(x.references, i)
		}
	}
	for i := range out {
		slices.Sort(out[i].Frames)
	}
	return out
}

// framesPay reports whether whole slices of a part are a few frames of multi-frame instances: then a derived instance holds these and no others.
func (x *part) framesPay(items []Item) bool {
	if x.stack.whole != "" || !crossSection(x.stack.slices[0].image.Modality) {
		return false
	}
	kept, all := 0, 0
	for _, it := range items {
		if it.Frames == nil {
			return false
		}
		kept += len(it.Frames)
	}
	seen := map[*Image]bool{}
	for i := range x.stack.slices {
		if im := x.stack.slices[i].image; x.keep[i] && !seen[im] {
			seen[im] = true
			all += len(im.Frames)
		}
	}
	return 2*kept <= all
}

func totals(s *Study, r *Record) Totals {
	t := Totals{Sources: len(r.Sources), Lesions: len(r.Lesions), Regions: len(r.Regions), FullBytes: s.FullBytes}
	frames := map[string]int{}
	for i := range s.Images {
		frames[s.Images[i].SOPUID] = len(s.Images[i].Frames)
	}
	seen := map[string]map[int]bool{}
	for _, g := range r.Regions {
		for _, it := range g.Items {
			if seen[it.SOPUID] == nil {
				seen[it.SOPUID] = map[int]bool{}
			}
			for _, f := range it.Frames {
				seen[it.SOPUID][f] = true
			}
			for f := 1; it.Frames == nil && f <= frames[it.SOPUID]; f++ {
				seen[it.SOPUID][f] = true
			}
		}
	}
	t.Instances = len(seen)
	for _, f := range seen {
		t.Frames += len(f)
	}
	return t
}

// digestOf names everything that decided: the images with their files, and all that was planned. Answers were given for a digest.
func digestOf(s *Study, r *Record) string {
	plan := *r
	plan.Created, plan.Review, plan.Plan, plan.Totals = time.Time{}, nil, "", Totals{}
	images := make([][2]string, 0, len(s.Images))
	for i := range s.Images {
		images = append(images, [2]string{s.Images[i].SOPUID, s.Images[i].File})
	}
	h := sha256.New()
	e := json.NewEncoder(h)
	for _, v := range []any{plan, images, s.Unreadable} {
		if err := e.Encode(v); err != nil {
			panic("roi: a record has finite numbers only: " + err.Error())
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
