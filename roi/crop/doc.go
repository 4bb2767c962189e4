// Package crop makes derived instances: DICOM instances that hold a rectangle,
// and of multi-frame images a subset of frames, of a source instance.
//
// A derived instance is of the source's SOP Class, study, patient and frame of
// reference, and lies in a series of its own. Its samples are those of the source, bit
// for bit, and every one of them is where it was in the patient: Image
// Position (Patient) is that of the first sample kept, computed exactly from the decimal
// numbers of the source. Attributes that describe the frame in its pixels
// (overlays, shutters, ultrasound regions, frame numbers) move along, those
// that cannot be known any more (pixel statistics, icons, signatures, private
// elements) are removed, and the source is named as PS3.3 C.7.6.1.1.4 and C.7.6.16 want it.
// Everything else is copied value for value.
//
// What cannot be cropped with certainty is not cropped: [Make] returns an
// *[UnsupportedError] with the reason, and the source is to be kept whole.
//
// The same source, [Spec] and frames give the same file and the same UIDs on
// every machine. Nothing is read but headers, and pixel data for overlays that
// lie in unused bits of it; one frame is in memory at a time.
//
// [Check] reads a derived instance again and proves it against its source without using what wrote it.
package crop
