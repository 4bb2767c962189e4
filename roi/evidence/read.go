package evidence

import (
	"errors"
	"io"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// Read reads an annotation object. It never fails: what it cannot read is in the document's problems.
func Read(r io.ReaderAt, f *dcm.File, lim Limits) *Document {
	lim = lim.withDefaults()
	d := &Document{Kind: KindDocument, StudyUID: f.StudyUID, SeriesUID: f.SeriesUID, SOPUID: f.SOPUID, ClassUID: f.ClassUID}
	ds, err := dcm.ReadDataset(r, f, dcm.Limits{MaxDepth: 2*lim.Depth + 16, MaxHeaderBytes: lim.Bytes, MaxValue: 64 << 20})
	if err != nil {
		p := Problem{What: "the data set cannot be read"}
		var limit *dcm.LimitError
		if errors.As(err, &limit) {
			p.What = "the data set passes a limit: " + limit.What
		}
		d.Kind = kindOf(f.ClassUID, f.Modality)
		d.Problems = append(d.Problems, p)
		return d
	}
	d.ContentTime = digits(ds.String(0x00080023) + ds.String(0x00080033))
	switch description := ds.String(0x0008103E); {
	case strings.HasPrefix(description, "OsiriX ROI SR"), strings.HasPrefix(description, "OsiriX Annotations SR"):
		d.Kind = KindPrivate
		d.Problems = append(d.Problems, Problem{"", 0, "annotations in an archive that only their maker reads"})
		return d
	case strings.HasPrefix(description, "OsiriX No Autodeletion"):
		d.Litigation = true
		return d
	case strings.HasPrefix(description, "OsiriX Report SR"), strings.HasPrefix(description, "OsiriX WindowsState SR"):
		return d
	}
	switch d.Kind = kindOf(f.ClassUID, f.Modality); d.Kind {
	case KindSegmentation:
		return fill(d, readSegmentation(r, f, ds, lim))
	case KindStructures:
		return fill(d, readStructures(ds, f, lim))
	case KindPresentation:
		readPresentation(d, ds, lim)
	case KindKeyObjects:
		readKeyObjects(d, ds, lim)
	case KindReport, KindCAD:
		readReport(d, ds, lim)
	case KindPrivate:
		d.Excluded = append(d.Excluded, Excluded{Reason: "annotations of a kind that is not read here", Blocks: true})
	}
	return d
}

// fill gives a document of another reader the names of its object.
func fill(d, from *Document) *Document {
	from.StudyUID, from.SeriesUID, from.SOPUID, from.ClassUID, from.ContentTime = d.StudyUID, d.SeriesUID, d.SOPUID, d.ClassUID, d.ContentTime
	return from
}

// kindOf decides by SOP Class, and by modality where that is no standard one.
func kindOf(classUID, modality string) Kind {
	if uid, ok := strings.CutPrefix(classUID, storage); ok {
		switch {
		case uid == "88.59":
			return KindKeyObjects
		case isCAD(classUID):
			return KindCAD
		case uid == "88.67", uid == "88.68", uid == "88.40", uid == "88.70", uid == "88.71", uid == "88.72", uid == "88.73", uid == "88.74", uid == "88.75":
			// radiation dose, procedure logs, implant plans, drug administration: no findings
			return KindDocument
		case strings.HasPrefix(uid, "88."):
			return KindReport
		case strings.HasPrefix(uid, "11."):
			return KindPresentation
		case uid == "66.4", uid == "66.7":
			return KindSegmentation
		case uid == "481.3":
			return KindStructures
		case uid == "91.1", uid == "66.5", uid == "481.11": // microscopy bulk annotations, surfaces, RT segment annotations
			return KindPrivate
		}
		return KindDocument
	}
	switch modality {
	case "SR":
		return KindReport
	case "KO":
		return KindKeyObjects
	case "PR":
		return KindPresentation
	case "SEG":
		return KindSegmentation
	case "RTSTRUCT":
		return KindStructures
	}
	return KindPrivate
}

func digits(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= '0' && r <= '9' && b.Len() < 20 {
			b.WriteRune(r)
		}
	}
	return b.String()
}
