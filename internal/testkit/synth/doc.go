// Package synth makes synthetic imaging studies: seeded, so that the same
// options give the same bytes on every machine, and valid, so that dciodvfy
// and dcentvfy find no error in them. Nothing in them belongs to a real person.
//
// [Demo] has the studies that `radtier demo` shows: a chest CT with one
// nodule, an MR of the head, a two-view chest X-ray and an ultrasound clip.
// They look like what they are called, with noise of a realistic strength, so
// that compression ratios and thumbnails mean something; they are no use for anything medical.
// [Generic] makes series of any pixel layout for tests, of any length: 10,000 instances or 1 GB in one of them.
//
// A study is a list of [Instance] values that make their pixels when they are
// written: memory holds one frame, whatever the size of the study. Instances may be written by several goroutines at once.
//
// UIDs are of the 2.25 root (PS3.5 B.2), derived from the seed. Dates are fixed.
package synth
