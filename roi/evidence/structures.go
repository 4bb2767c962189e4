package evidence

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

// harmless are types of structures that are no lesions (PS3.3 C.8.8.8.1).
var harmless = map[string]bool{"EXTERNAL": true, "ORGAN": true, "AVOIDANCE": true, "SUPPORT": true, "BOLUS": true, "FIXATION": true, "ISOCENTER": true, "CONTROL": true,
	"DOSE_REGION": true, "DOSE_MEASUREMENT": true, "TREATED_VOLUME": true, "IRRAD_VOLUME": true, "REGISTRATION": true, "PTV": true, "MARKER": true, "CAVITY": true, "CONTRAST_AGENT": true}

// readStructures reads an RT structure set (PS3.3 A.19): gross and clinical target volumes are lesions.
func readStructures(ds *dcm.Dataset, _ *dcm.File, lim Limits) *Document {
	d := &Document{Kind: KindStructures, Final: ds.String(0x300E0002) != "REJECTED"}
	fail := func(item string, tag uint32, format string, args ...any) {
		if len(d.Problems) < 100 {
			d.Problems = append(d.Problems, Problem{item, tag, fmt.Sprintf(format, args...)})
		}
	}
	forUID := ""
	for _, fr := range ds.Items(0x30060010) { // Referenced Frame of Reference
		if forUID == "" {
			forUID = uidOf(fr.String(0x00200052))
		}
		for _, st := range fr.Items(0x30060012) {
			for _, se := range st.Items(0x30060014) {
				for _, im := range se.Items(0x30060016) {
					if len(d.References) < lim.Items {
						d.References = append(d.References, Image{StudyUID: st.String(0x00081155), SeriesUID: se.String(0x0020000E), SOPUID: im.String(0x00081155), ClassUID: im.String(0x00081150)})
					}
				}
			}
		}
	}
	kinds := map[int][]string{} // one structure may be observed more than once
	for _, o := range ds.Items(0x30060080) {
		kinds[int1(o, 0x30060084)] = append(kinds[int1(o, 0x30060084)], strings.ToUpper(strings.TrimSpace(o.String(0x300600A4))))
	}
	contours := map[int][]*dcm.Dataset{}
	for _, c := range ds.Items(0x30060039) {
		contours[int1(c, 0x30060084)] = append(contours[int1(c, 0x30060084)], c)
	}
	rois, err := ds.Sequence(0x30060020)
	if err != nil {
		fail("", 0x30060020, "structures cannot be read to their end")
	}
	points, total := 0, 0
	for i, it := range rois {
		if i >= lim.Findings {
			fail("", 0x30060020, "more than %d structures", lim.Findings)
			break
		}
		number := int1(it, 0x30060022)
		item := fmt.Sprintf("ROI %d", number)
		what, blocks := structures(kinds[number], it.String(0x30060026))
		if what != "" {
			d.Excluded = append(d.Excluded, Excluded{Item: item, Reason: what, Blocks: blocks})
			continue
		}
		uid := uidOf(it.String(0x30060024))
		if uid == "" {
			uid = forUID
		}
		finding := Finding{Item: item}
		var list []*dcm.Dataset
		for _, c := range contours[number] {
			more, err := c.Sequence(0x30060040)
			if err != nil {
				fail(item, 0x30060040, "contours cannot be read to their end")
			}
			list = append(list, more...)
		}
		for n, c := range list {
			if total++; total > lim.Items {
				fail(item, 0x30060040, "more than %d contours", lim.Items)
				break
			}
			m := Mark{ForUID: uid}
			var why string
			if m.Shape, why = contour(c, lim); why != "" {
				fail(fmt.Sprintf("%s, contour %d", item, n+1), 0x30060050, "%s", why)
				continue
			}
			if uid == "" {
				fail(item, 0x30060024, "contours without a frame of reference")
				break
			}
			if points += len(m.Shape.V); int64(points)*24 > lim.Bytes {
				fail(item, 0x30060050, "contours of more than %d bytes", lim.Bytes)
				break
			}
			if im := first(c, 0x30060016); im != nil {
				m.Image = &Image{SOPUID: im.String(0x00081155), ClassUID: im.String(0x00081150), Frames: im.Ints(0x00081160)}
			}
			finding.Marks = append(finding.Marks, m)
		}
		if len(finding.Marks) == 0 {
			d.Excluded = append(d.Excluded, Excluded{Item: item, Reason: "a target volume without contours", Blocks: true})
			continue
		}
		d.Findings = append(d.Findings, finding)
	}
	return d
}

// structures says why a structure is no lesion of all that it was observed as: it is one if any says so.
func structures(kinds []string, name string) (what string, blocks bool) {
	if len(kinds) == 0 {
		return structure("", name)
	}
	for _, k := range kinds {
		w, b := structure(k, name)
		if w == "" {
			return "", false
		}
		if what == "" || b {
			what, blocks = w, b || blocks
		}
	}
	return what, blocks
}

// structure says why a structure is no lesion, "" if it is one; blocks if that is not certain. Names are looked at where there is no type, and not kept.
func structure(kind, name string) (what string, blocks bool) {
	switch {
	case kind == "GTV" || kind == "CTV":
		return "", false
	case harmless[kind] || strings.HasPrefix(kind, "BRACHY_"):
		return "type " + kind, false
	case kind == "":
		n := strings.ToLower(strings.TrimSpace(name))
		for _, p := range []string{"gtv", "ctv", "lesion", "tumor", "tumour"} {
			if strings.HasPrefix(n, p) {
				return "", false
			}
		}
		return "no type, and a name that tells nothing", true
	}
	return "a type that is not known", true
}

// contour reads an item of the Contour Sequence (C.8.8.6): mm, x\y\z for each point.
func contour(c *dcm.Dataset, lim Limits) (s Shape, why string) {
	v := c.Floats(0x30060050)
	if vr := c.VR(0x30060050); v == nil && string(vr[:]) == "UN" || len(v) == 0 {
		v = decimals(c.Bytes(0x30060050), lim.Points*3)
	}
	n := int1(c, 0x30060046)
	switch {
	case c.Length(0x30060050) > 0 && len(v) == 0:
		return s, "contour data that are no numbers, or too many"
	case len(v) == 0 || len(v)%3 != 0 || n > 0 && len(v) != 3*n:
		return s, fmt.Sprintf("%d values for %d points", len(v), n)
	case len(v)/3 > lim.Points:
		return s, fmt.Sprintf("more than %d points", lim.Points)
	}
	s.Type = Points3
	for i := 0; i < len(v); i += 3 {
		s.V = append(s.V, space.Vec{v[i], v[i+1], v[i+2]})
	}
	return s, s.Check()
}

// decimals reads DS values of an element whose VR was lost: of more than 65534 bytes in explicit VR (PS3.5 6.2.2, note to UN).
func decimals(p []byte, most int) []float64 {
	var out []float64
	for part := range strings.SplitSeq(string(p), `\`) {
		x, err := strconv.ParseFloat(strings.TrimRight(strings.TrimSpace(part), "\x00"), 64)
		if err != nil || len(out) >= most {
			return nil
		}
		out = append(out, x)
	}
	return out
}
