// Package roi decides what of a study is kept when its full images expire:
// from what documents say about lesions (package evidence) it plans regions,
// the slices and rectangles that hold every lesion with a margin.
//
//	documents -> findings -> lesions -> regions -> outputs (package crop)
//
// A finding is what one document says once; a lesion is all findings with one
// tracking UID, or that overlap; a region is a rectangle or whole slices of
// one series over a range of positions, for one or more lesions.
//
// The package is pure: the same study, documents and policy give the same
// [Record], byte for byte. It reads no pixels and writes nothing. What is in
// doubt is kept: whole slices instead of a rectangle, the whole study instead
// of slices. No position is ever guessed; margins and assumed extents are in the record as such.
package roi
