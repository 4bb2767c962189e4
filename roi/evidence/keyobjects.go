package evidence

import "github.com/radtier/radtier/internal/dcm"

// keyTitles are the titles of key object selections whose images somebody picked (PS3.16 CID 7010), of scheme DCM.
var keyTitles = map[string]bool{"113000": true, "113002": true, "113003": true, "113004": true, "113005": true, "113006": true, "113007": true, "113008": true, "113009": true,
	"113013": true, "113018": true, "113020": true, "113021": true, "128181": true, "128195": true, "128203": true, "128208": true}

// rejecting titles withdraw what they list (IHE IOCM), whole titles name the study or a layout.
var (
	rejectingTitles = map[string]bool{"113001": true, "113037": true, "113038": true, "113039": true}
	wholeTitles     = map[string]bool{"113010": true, "113030": true, "113031": true, "113032": true, "113033": true, "113034": true, "113035": true, "113036": true}
)

const litigationTitle = "113021"

// readKeyObjects reads a Key Object Selection (PS3.3 C.17.6, TID 2010): images without geometry.
func readKeyObjects(d *Document, ds *dcm.Dataset, lim Limits) {
	d.Kind = KindKeyObjects
	t := readTree(ds, lim)
	d.Title = t.root.name
	d.Final = true
	d.References = references(ds, lim)
	known := map[string]Image{}
	for _, r := range d.References {
		known[r.SOPUID] = r
	}
	var images []Image
	t.root.walk(func(n *node) bool {
		if n.typ != "IMAGE" && n.typ != "COMPOSITE" && n.typ != "WAVEFORM" {
			return true
		}
		ref, ok := n.reference()
		if !ok {
			t.problem(n.path, 0x00081199, "a reference without an instance")
			return true
		}
		if n.typ == "WAVEFORM" || n.typ == "COMPOSITE" && IsResult(ref.ClassUID, "") { // presentation states and reports among them are documents of their own
			return true
		}
		im := ref.Image
		if r, ok := known[im.SOPUID]; ok {
			im.StudyUID, im.SeriesUID = r.StudyUID, r.SeriesUID
		}
		images = append(images, im)
		return true
	})
	d.Problems = append(d.Problems, t.problems...)
	title := d.Title.Value
	if d.Title.Scheme != "DCM" {
		title = ""
	}
	switch {
	case rejectingTitles[title]:
		d.Rejects = images
		if len(images) == 0 {
			d.Rejects = d.References
		}
		d.Excluded = append(d.Excluded, Excluded{Item: "1", Reason: "a rejection note", Codes: []Code{d.Title}})
	case wholeTitles[title]:
		d.Excluded = append(d.Excluded, Excluded{Item: "1", Reason: "names the study, a layout or its quality", Codes: []Code{d.Title}})
	case keyTitles[title]:
		d.Litigation = title == litigationTitle
		if len(images) == 0 {
			return
		}
		f := Finding{Item: "1", Codes: []Code{d.Title}}
		for i := range images {
			f.Marks = append(f.Marks, Mark{Image: &images[i]})
		}
		d.Findings = append(d.Findings, f)
	default:
		f := Finding{Item: "1", Codes: []Code{d.Title}, Unsure: "a key object selection with a title that is not known"}
		for i := range images {
			f.Marks = append(f.Marks, Mark{Image: &images[i]})
		}
		if len(f.Marks) > 0 {
			d.Findings = append(d.Findings, f)
		}
		d.Excluded = append(d.Excluded, Excluded{Item: "1", Reason: "a title that is not known", Codes: []Code{d.Title}, Blocks: true})
	}
}
