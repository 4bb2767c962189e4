package evidence

import (
	"fmt"

	"github.com/radtier/radtier/roi/space"
)

// Kind is what sort of object a document was read from.
type Kind string

// The kinds, by how much weight their geometry has.
const (
	KindAnnotation   Kind = "annotation" // JSON, see ReadAnnotation
	KindReport       Kind = "report"     // structured report with coordinates, TID 1500 or any other
	KindSegmentation Kind = "segmentation"
	KindStructures   Kind = "rtstruct"
	KindCAD          Kind = "cad"
	KindPresentation Kind = "presentation"
	KindOverlay      Kind = "overlay" // overlay planes of an image
	KindKeyObjects   Kind = "key-objects"
	KindDocument     Kind = "document" // encapsulated PDF or CDA, plain reports: no geometry
	KindPrivate      Kind = "private"  // private annotations that nobody but their maker reads
)

// Document is what one object says about lesions.
type Document struct {
	Kind                         Kind
	StudyUID, SeriesUID, SOPUID  string // SOPUID is the document_id of a JSON annotation
	ClassUID                     string
	Title                        Code   // concept name of the root
	ContentTime                  string // ISO 8601 or DICOM date and time, digits only, for choosing the later of two; "" unknown
	Revision                     int    // of a JSON annotation
	Replaces                     []string
	Verified, Final, Preliminary bool // verification and completion flags; for JSON: a person confirmed, status final
	// Complete says that the document lists every lesion that its author knows of: a JSON annotation that says so, or a final, verified human report.
	Complete bool
	NoLesion bool // an explicit negative; see dicom-rules: counts only when Complete
	// Machine says that an algorithm made the document and no person answered for it.
	Machine bool
	// Litigation says that a key object selection asks for a hold.
	Litigation bool
	// Rejects lists images that a rejection note withdraws.
	Rejects []Image

	Findings []Finding
	// Excluded lists what was seen and not taken for a lesion.
	Excluded []Excluded
	// Problems lists what could not be read. A document with problems is unreadable as a whole: deletion is blocked, what could be read is kept.
	Problems []Problem
	// References are all images that the document refers to, each once, with the study if it says so.
	References []Image
}

// Finding is one thing that a document found: a measurement group, a segment, a structure, a key image.
type Finding struct {
	Item     string // its place in the document: "1.5.2" (ordinals of content items), "segment 3", "ROI 2", "lesion 1", "graphic 2.1"
	Tracking string // tracking UID, "" if none
	Codes    []Code // finding, category, site: all codes that tell what it is
	Unsure   string // why the finding is taken though nobody says that it is a lesion: it never makes a study deletable; "" if somebody does
	Score    float64
	Marks    []Mark
}

// Mark is where a finding lies: on an image, on a grid of its own, in space (ForUID without Plane; Image then is what it was drawn on), in whole series, or where
// another object says.
type Mark struct {
	// Image and Shape: a shape of two dimensions, edge coordinates, in one or more frames of an image.
	// With Shape.Type None the whole frames are meant (key images).
	Image *Image
	// Plane: a shape of two dimensions on a grid of its own, which is Thick mm thick along the normal (0: unknown), in ForUID.
	// The frames of a segmentation are such marks. Image, if not nil, is then the source image it was drawn on.
	Plane  *space.Plane
	Thick  float64
	ForUID string
	// Series: whole series are meant.
	Series string
	// Segment and ROI: the geometry is that of a segment of a segmentation, or of a structure of a structure set, in another object.
	Segment *SegmentRef
	ROI     *ROIRef

	Shape Shape
	// Rows and Columns are those of the grid that the shape was drawn on, if it is said; on an image of other ones its coordinates mean nothing.
	Rows, Columns int
	// Whole says why whole slices must be kept although there is a shape: coordinates that cannot be trusted.
	Whole string
	// Cornerstone says that a viewer drew the mark that displaces coordinates on pixels that are not square; whoever knows the image judges.
	Cornerstone bool
}

// Image names an image instance, or frames of it.
type Image struct {
	StudyUID, SeriesUID, SOPUID string // study and series only where the document says
	ClassUID                    string
	Frames                      []int // from 1; nil: all
}

// SegmentRef names segments of a SEG instance, or frames of it.
type SegmentRef struct {
	SOPUID   string
	Segments []int // none: whatever the frames show
	Frames   []int // from 1; nil: all frames of the segments
}

// ROIRef names a structure of an RT structure set.
type ROIRef struct {
	SOPUID string
	Number int
}

// ShapeType is the kind of a shape.
type ShapeType uint8

// Shapes. Those of two dimensions are in edge coordinates of a frame, those of three in mm of a frame of reference.
const (
	None      ShapeType = iota
	Points              // one or more places
	Polyline            // open or closed line
	Polygon             // closed area, of one contour
	Circle              // centre, a point on the rim
	Ellipse             // ends of the major axis, ends of the minor axis
	Rectangle           // two opposite corners
	Bulging             // polyline that may bulge outside its points (INTERPOLATED)
	Points3             // one or more places in space: also the corners of boxes, vertices of contours
	Ellipse3            // four points in space as of Ellipse
	Ellipsoid           // six points in space: ends of three axes
	Mask                // set pixels; Points is their outline's vertices (a convex polygon around all set pixels), Bounds their bounding box
)

// Shape is geometry as a document states it.
type Shape struct {
	Type   ShapeType
	P      []space.Point // two dimensions
	V      []space.Vec   // three dimensions
	Radius float64       // mm, around Points or Points3; 0 if not stated
	Pixels int64         // Mask: number of set pixels
}

// Code is a coded concept. Meaning is never kept.
type Code struct{ Value, Scheme string }

func (c Code) String() string {
	if c.Value == "" {
		return ""
	}
	return c.Value + "," + c.Scheme
}

// Excluded is something that was seen and not taken for a lesion.
type Excluded struct {
	Item   string
	Reason string
	Codes  []Code
	// Marks are where it lies, of what another document may refer to: segments.
	Marks []Mark
	// Blocks says that it is not proven to be harmless, so that the full images must not be deleted because of this study's regions.
	Blocks bool
}

// Problem is a part of a document that could not be read.
type Problem struct {
	Item string // place in the document, "" for all of it
	Tag  uint32 // element concerned, 0 if none
	What string // without values of elements
}

func (p Problem) String() string {
	s := p.What
	if p.Tag != 0 {
		s = fmt.Sprintf("(%04X,%04X): %s", p.Tag>>16, p.Tag&0xFFFF, s)
	}
	if p.Item != "" {
		s = p.Item + ": " + s
	}
	return s
}

// Limits bounds what a document may ask for. The zero value of a field means its default.
type Limits struct {
	Depth    int   // nesting of content items; default 64
	Items    int   // content items, frames, contours, regions; default 200,000
	Points   int   // of one shape; default 1,000,000
	Bytes    int64 // of one document's values held; default 256 MiB
	Findings int   // default 10,000
}

func (e Excluded) String() string {
	s := e.Reason
	if e.Item != "" {
		s = e.Item + ": " + s
	}
	for _, c := range e.Codes {
		s += " (" + c.String() + ")"
	}
	return s
}
