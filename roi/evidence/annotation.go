package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/radtier/radtier/roi/space"
)

// AnnotationSchema names the JSON schema that ReadAnnotation reads; docs/annotation-format.md describes it.
const AnnotationSchema = "annotation/1"

// AnnotationError says what is wrong in a JSON annotation, and where, without repeating what stands there.
type AnnotationError struct {
	Path string // "lesions[2].regions[0].coords"
	What string
}

func (e *AnnotationError) Error() string {
	if e.Path == "" {
		return "annotation: " + e.What
	}
	return "annotation: " + e.Path + ": " + e.What
}

type jsonAnnotation struct {
	Schema     string       `json:"schema"`
	StudyUID   string       `json:"study_uid"`
	DocumentID string       `json:"document_id"`
	Revision   *int         `json:"revision"`
	System     string       `json:"system"`
	Created    string       `json:"created"`
	Status     string       `json:"status"`
	Author     string       `json:"author"`
	Complete   *bool        `json:"complete"`
	NoLesion   bool         `json:"no_lesion"`
	Lesions    []jsonLesion `json:"lesions"`
}

type jsonLesion struct {
	ID       string       `json:"id"`
	Tracking string       `json:"tracking_uid"`
	Label    string       `json:"label"`
	Codes    []jsonCode   `json:"codes"`
	Score    *float64     `json:"score"`
	Review   string       `json:"review"`
	Regions  []jsonRegion `json:"regions"`
}

type jsonCode struct {
	Value   string `json:"value"`
	Scheme  string `json:"scheme"`
	Meaning string `json:"meaning"`
}

type jsonRegion struct {
	Type      string            `json:"type"`
	Coords    string            `json:"coords"`
	SOPUID    string            `json:"sop_uid"`
	Frame     *int              `json:"frame"`
	X         *float64          `json:"x"`
	Y         *float64          `json:"y"`
	W         *float64          `json:"w"`
	H         *float64          `json:"h"`
	RadiusMM  *float64          `json:"radius_mm"`
	Points    []json.RawMessage `json:"points"`
	ForUID    string            `json:"for_uid"`
	Min       []float64         `json:"min"`
	Max       []float64         `json:"max"`
	SeriesUID string            `json:"series_uid"`
	SOPUIDs   []string          `json:"sop_uids"`
	Segments  []int             `json:"segments"`
}

// ReadAnnotation reads a JSON annotation, by which an AI service or a report system says where lesions are. It is strict: a field that
// is not known, given twice, missing or out of range is an *AnnotationError, so that no document is half understood.
func ReadAnnotation(data []byte, lim Limits) (*Document, error) {
	lim = lim.withDefaults()
	if int64(len(data)) > lim.Bytes {
		return nil, &AnnotationError{What: fmt.Sprintf("more than %d bytes", lim.Bytes)}
	}
	if err := noDuplicates(data, lim); err != nil {
		return nil, err
	}
	var a jsonAnnotation
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return nil, decodeError(err)
	}
	if a.Schema != AnnotationSchema {
		return nil, &AnnotationError{"schema", "must be " + AnnotationSchema}
	}
	d := &Document{Kind: KindAnnotation, StudyUID: a.StudyUID, SOPUID: a.DocumentID}
	for _, c := range []struct{ path, value string }{{"study_uid", a.StudyUID}} {
		if !isUID(c.value) {
			return nil, &AnnotationError{c.path, "must be a UID"}
		}
	}
	if err := identifier("document_id", a.DocumentID); err != nil {
		return nil, err
	}
	if a.Revision == nil || *a.Revision < 1 {
		return nil, &AnnotationError{"revision", "must be a number from 1: a later one replaces an earlier one"}
	}
	d.Revision = *a.Revision
	if _, err := time.Parse(time.RFC3339, a.Created); err != nil {
		return nil, &AnnotationError{"created", "must be a time as of RFC 3339"}
	}
	d.ContentTime = digits(a.Created)
	switch a.Status {
	case "final":
		d.Final = true
	case "preliminary":
		d.Preliminary = true
	default:
		return nil, &AnnotationError{"status", "must be final or preliminary"}
	}
	person := false
	switch a.Author {
	case "person":
		person = true
	case "", "algorithm":
	default:
		return nil, &AnnotationError{"author", "must be person or algorithm"}
	}
	if a.Complete == nil {
		return nil, &AnnotationError{"complete", "is missing: say whether these are all lesions that the author knows of"}
	}
	if a.NoLesion && (!*a.Complete || len(a.Lesions) > 0) {
		return nil, &AnnotationError{"no_lesion", "goes with complete true and no lesions"}
	}
	if len(a.Lesions) > lim.Findings {
		return nil, &AnnotationError{"lesions", fmt.Sprintf("more than %d", lim.Findings)}
	}
	confirmed := len(a.Lesions) > 0
	ids := map[string]bool{}
	for i := range a.Lesions {
		path := fmt.Sprintf("lesions[%d]", i)
		f, err := a.Lesions[i].finding(path, i, a.StudyUID, lim)
		if err != nil {
			return nil, err
		}
		if ids[a.Lesions[i].ID] {
			return nil, &AnnotationError{path + ".id", "is that of an earlier lesion"}
		}
		ids[a.Lesions[i].ID] = true
		switch a.Lesions[i].Review {
		case "confirmed":
		case "unreviewed", "":
			confirmed = false
		case "rejected":
			d.Excluded = append(d.Excluded, Excluded{Item: f.Item, Reason: "rejected by a person", Codes: f.Codes})
			continue
		default:
			return nil, &AnnotationError{path + ".review", "must be confirmed, unreviewed or rejected"}
		}
		d.Findings = append(d.Findings, *f)
		for k := range f.Marks {
			if im := f.Marks[k].Image; im != nil {
				d.References = append(d.References, *im)
			}
		}
	}
	d.Verified = person || confirmed
	d.Machine = !d.Verified
	d.Complete = *a.Complete && d.Final && d.Verified
	d.NoLesion = a.NoLesion
	return d, nil
}

func (l *jsonLesion) finding(path string, n int, study string, lim Limits) (*Finding, error) {
	if err := identifier(path+".id", l.ID); err != nil {
		return nil, err
	}
	f := &Finding{Item: fmt.Sprintf("lesion %d", n+1)}
	if l.Tracking != "" {
		if !isUID(l.Tracking) {
			return nil, &AnnotationError{path + ".tracking_uid", "must be a UID"}
		}
		f.Tracking = l.Tracking
	}
	for i, c := range l.Codes {
		if c.Value == "" || c.Scheme == "" {
			return nil, &AnnotationError{fmt.Sprintf("%s.codes[%d]", path, i), "must have value and scheme"}
		}
		f.Codes = append(f.Codes, Code{printable(c.Value), printable(c.Scheme)})
	}
	if l.Score != nil {
		if !(*l.Score >= 0 && *l.Score <= 1) {
			return nil, &AnnotationError{path + ".score", "must be from 0 to 1"}
		}
		f.Score = *l.Score
	}
	if len(l.Regions) == 0 {
		return nil, &AnnotationError{path + ".regions", "is empty: a lesion without a place is of no use here"}
	}
	if len(l.Regions) > lim.Items {
		return nil, &AnnotationError{path + ".regions", fmt.Sprintf("more than %d", lim.Items)}
	}
	for i := range l.Regions {
		marks, err := l.Regions[i].marks(fmt.Sprintf("%s.regions[%d]", path, i), study, lim)
		if err != nil {
			return nil, err
		}
		f.Marks = append(f.Marks, marks...)
	}
	return f, nil
}

// allowed are the fields of each type of region, besides type.
var allowed = map[string]string{
	"rect":     "coords sop_uid frame x y w h",
	"polygon":  "coords sop_uid frame points",
	"point":    "coords sop_uid frame x y radius_mm",
	"box3d":    "for_uid min max",
	"points3d": "for_uid points radius_mm",
	"slices":   "series_uid sop_uids",
	"seg":      "sop_uid segments",
}

func (r *jsonRegion) marks(path, study string, lim Limits) ([]Mark, error) {
	fail := func(field, format string, args ...any) ([]Mark, error) {
		if field != "" {
			field = "." + field
		}
		return nil, &AnnotationError{path + field, fmt.Sprintf(format, args...)}
	}
	fields, ok := allowed[r.Type]
	if !ok {
		return fail("type", "must be rect, polygon, point, box3d, points3d, slices or seg")
	}
	given := map[string]bool{"coords": r.Coords != "", "sop_uid": r.SOPUID != "", "frame": r.Frame != nil, "x": r.X != nil, "y": r.Y != nil, "w": r.W != nil, "h": r.H != nil,
		"radius_mm": r.RadiusMM != nil, "points": r.Points != nil, "for_uid": r.ForUID != "", "min": r.Min != nil, "max": r.Max != nil, "series_uid": r.SeriesUID != "",
		"sop_uids": r.SOPUIDs != nil, "segments": r.Segments != nil}
	optional := map[string]bool{"frame": true, "radius_mm": true}
	for _, name := range []string{"coords", "sop_uid", "frame", "x", "y", "w", "h", "radius_mm", "points", "for_uid", "min", "max", "series_uid", "sop_uids", "segments"} {
		belongs := strings.Contains(" "+fields+" ", " "+name+" ")
		switch {
		case given[name] && !belongs:
			return fail(name, "does not belong to a region of type %s", r.Type)
		case !given[name] && belongs && !optional[name]:
			return fail(name, "is missing in a region of type %s", r.Type)
		}
	}
	for _, c := range []struct{ name, value string }{{"sop_uid", r.SOPUID}, {"for_uid", r.ForUID}, {"series_uid", r.SeriesUID}} {
		if c.value != "" && !isUID(c.value) {
			return fail(c.name, "must be a UID")
		}
	}
	shift := 0.0
	switch r.Coords {
	case "", "edge":
	case "centre":
		shift = 0.5
	default:
		return fail("coords", "must be edge (0 at the outer corner of the first pixel) or centre (0 at its centre)")
	}
	radius := 0.0
	if r.RadiusMM != nil {
		if radius = *r.RadiusMM; !(radius > 0 && radius <= 1000) {
			return fail("radius_mm", "must be more than 0 and at most 1000")
		}
	}
	var image *Image
	if r.SOPUID != "" && r.Type != "seg" {
		image = &Image{StudyUID: study, SOPUID: r.SOPUID}
		if r.Frame != nil {
			if *r.Frame < 1 {
				return fail("frame", "counts from 1")
			}
			image.Frames = []int{*r.Frame}
		}
	}
	switch r.Type {
	case "rect":
		if !(*r.W > 0 && *r.H > 0) {
			return fail("w", "and h must be more than 0")
		}
		x, y, w, h := *r.X, *r.Y, *r.W, *r.H
		if r.Coords == "centre" { // from the centre of the first pixel to that of the last: the pixels' outer borders
			w, h, x, y = w+1, h+1, x-0.5, y-0.5
		}
		x, y = x+shift, y+shift
		return []Mark{{Image: image, Shape: Shape{Type: Rectangle, P: []space.Point{{X: x, Y: y}, {X: x + w, Y: y + h}}}}}, nil
	case "point":
		return []Mark{{Image: image, Shape: Shape{Type: Points, P: []space.Point{{X: *r.X + shift, Y: *r.Y + shift}}, Radius: radius}}}, nil
	case "polygon":
		pts, err := points(r.Points, 2, path, lim)
		if err != nil {
			return nil, err
		}
		if len(pts) < 3 {
			return fail("points", "are fewer than 3")
		}
		s := Shape{Type: Polygon}
		for _, p := range pts {
			s.P = append(s.P, space.Point{X: p[0] + shift, Y: p[1] + shift})
		}
		return []Mark{{Image: image, Shape: s}}, nil
	case "box3d":
		if len(r.Min) != 3 || len(r.Max) != 3 {
			return fail("min", "and max must be 3 numbers each")
		}
		s := Shape{Type: Points3}
		for k := range 8 {
			var v space.Vec
			for i := range v {
				if !(r.Max[i] > r.Min[i]) || math.Abs(r.Min[i]) > 1e6 || math.Abs(r.Max[i]) > 1e6 {
					return fail("max", "must be more than min in every direction")
				}
				if v[i] = r.Min[i]; k>>i&1 == 1 {
					v[i] = r.Max[i]
				}
			}
			s.V = append(s.V, v)
		}
		return []Mark{{ForUID: r.ForUID, Shape: s}}, nil
	case "points3d":
		pts, err := points(r.Points, 3, path, lim)
		if err != nil {
			return nil, err
		}
		s := Shape{Type: Points3, Radius: radius}
		for _, p := range pts {
			s.V = append(s.V, space.Vec(p))
		}
		return []Mark{{ForUID: r.ForUID, Shape: s}}, nil
	case "slices":
		if len(r.SOPUIDs) == 0 || len(r.SOPUIDs) > lim.Items {
			return fail("sop_uids", "must name 1 to %d images", lim.Items)
		}
		var out []Mark
		for i, uid := range r.SOPUIDs {
			if !isUID(uid) {
				return fail(fmt.Sprintf("sop_uids[%d]", i), "must be a UID")
			}
			out = append(out, Mark{Image: &Image{StudyUID: study, SeriesUID: r.SeriesUID, SOPUID: uid}})
		}
		return out, nil
	}
	if len(r.Segments) == 0 {
		return fail("segments", "is empty")
	}
	return []Mark{{Segment: &SegmentRef{SOPUID: r.SOPUID, Segments: r.Segments}}}, nil
}

// points reads points of n numbers each.
func points(raw []json.RawMessage, n int, path string, lim Limits) ([][]float64, error) {
	if len(raw) == 0 || len(raw) > lim.Points {
		return nil, &AnnotationError{path + ".points", fmt.Sprintf("must be 1 to %d points", lim.Points)}
	}
	out := make([][]float64, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &out[i]); err != nil || len(out[i]) != n {
			return nil, &AnnotationError{fmt.Sprintf("%s.points[%d]", path, i), fmt.Sprintf("must be %d numbers", n)}
		}
		for _, x := range out[i] {
			if math.Abs(x) > 1e6 {
				return nil, &AnnotationError{fmt.Sprintf("%s.points[%d]", path, i), "is farther away than any image"}
			}
		}
	}
	return out, nil
}

func isUID(s string) bool { return s != "" && uidOf(s) == s }

// identifier checks a name that goes into records: short, and of characters that cannot be text about a person by accident.
func identifier(path, s string) error {
	if s == "" || len(s) > 64 {
		return &AnnotationError{path, "must have 1 to 64 characters"}
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:-", r)) {
			return &AnnotationError{path, "may have letters, digits and . _ : - only"}
		}
	}
	return nil
}

// decodeError translates errors of the JSON package, which repeat what was read, into a place.
func decodeError(err error) error {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typ):
		return &AnnotationError{typ.Field, "must be a " + typ.Type.String() + fmt.Sprintf(" (at byte %d)", typ.Offset)}
	case errors.As(err, &syntax):
		return &AnnotationError{"", fmt.Sprintf("is no JSON from byte %d on", syntax.Offset)}
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return &AnnotationError{"", "has a field that is not known: only those of docs/annotation-format.md are taken"}
	}
	return &AnnotationError{"", "is no JSON object"}
}

// noDuplicates refuses names that are given twice in one object, of which others would take the one or the other, what follows the object,
// and nesting without end.
func noDuplicates(data []byte, lim Limits) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		names map[string]bool // nil: an array
		name  bool            // the next token is a name
	}
	var stack []level
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return decodeError(err)
		}
		top := len(stack) - 1
		if s, ok := tok.(string); ok && top >= 0 && stack[top].name {
			if strings.ContainsFunc(s, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
				return &AnnotationError{"", fmt.Sprintf("has a name that is not of a-z, 0-9 and _ (before byte %d)", dec.InputOffset())}
			}
			if key := s; stack[top].names[key] {
				return &AnnotationError{"", fmt.Sprintf("has a name twice in one object (before byte %d)", dec.InputOffset())}
			} else {
				stack[top].names[key] = true
			}
			stack[top].name = false
			continue
		}
		switch tok {
		case nil:
			return &AnnotationError{"", fmt.Sprintf("has a null (before byte %d): leave out what is not known", dec.InputOffset())}
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}, name: true})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
			if top = len(stack) - 1; top < 0 {
				if _, err := dec.Token(); err != io.EOF {
					return &AnnotationError{"", "has something after its end"}
				}
				return nil
			}
			stack[top].name = stack[top].names != nil
			continue
		default:
			if top < 0 {
				return &AnnotationError{"", "is no JSON object"}
			}
			stack[top].name = stack[top].names != nil
			continue
		}
		if len(stack) > lim.Depth {
			return &AnnotationError{"", fmt.Sprintf("is nested more than %d deep", lim.Depth)}
		}
	}
}
