// Package packet reads and writes the packets of JPEG 2000 codestreams: T.800
// B.9 (packets), B.10 (packet headers), B.12 (progressions), and T.814 Annex B
// for HT code-blocks.
//
// A [Reader] walks over all packets of a tile in the order of its progressions
// and notes in each geom.Block where the block's bytes lie; it copies none of them. Its work is
// bounded by the bytes of the codestream and the number of code-blocks, whatever headers say.
// A [Writer] appends the packets of one resolution level with one quality layer.
package packet
