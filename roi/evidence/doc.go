// Package evidence reads what says where lesions are: structured reports, key
// object selections, presentation states, segmentations, RT structure sets,
// overlays and JSON annotations.
//
// A reader turns one object into a [Document] and never fails the study: what
// it cannot read is in the document, with its place and reason. It invents
// nothing: no position that the object does not state, no assumption that an
// unknown code is harmless. References are left as UIDs; whoever knows the
// study resolves them.
//
// Documents hold UIDs, codes and coordinates, and no text of the object but
// code values: labels may name a patient.
//
// Input is hostile: depth, items and bytes are bounded by [Limits].
package evidence
