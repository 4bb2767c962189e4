// Package dcm reads and rewrites DICOM Part 10 files (PS3.10, PS3.5) without
// trusting them and without losing a byte of them.
//
// [Scan] finds the structure of a file from its headers alone: the top-level
// elements with their offsets, the image pixel module, the fragments of
// encapsulated pixel data and which of them make up which frame. It reads no
// value larger than a few KiB, allocates nothing from a declared size before
// comparing it with the file's size and the [Limits], and never panics.
// [File.Pieces] splits a scanned file into header bytes and pixel pieces that
// cover it exactly, [ReadDataset] gives the values that rendering and display
// need, [Rewrite] writes the instance in another transfer syntax with every
// other element's value unchanged, [CompareDatasets] proves that, and
// [Builder] makes valid files from values.
//
// Bytes are trusted, labels are not: [File.Encoding] says how the data set
// is really encoded, whatever its meta group claims.
//
// # Words
//
// A tag is the number 0xggggeeee. An element's offset is that of its tag; its
// value lies in [ValueOffset, ValueOffset+Length). Offsets of a deflated data
// set are those of the inflated bytes, see [File.Inflated]; all others are offsets in the file.
//
// # Errors
//
// [ErrNotDICOM]: nothing about the input is DICOM, a caller may skip it.
// [*MalformedError]: it breaks the standard in a way that cannot be read past; quarantine it.
// [*UnsupportedError]: legal, but not done here; keep the bytes as they are.
// [*LimitError]: larger than the caller allows. Any other error is the reader's or writer's own.
// No error text contains the value of an element.
//
// The package is the only door to github.com/suyashkumar/dicom, of which it
// uses the data dictionary; that library's reader and writer are not used,
// because they panic on hostile input and change values (text, OF, OD, 1-bit samples, offset tables).
package dcm
