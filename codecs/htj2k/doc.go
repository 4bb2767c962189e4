// Package htj2k codes and decodes frames as High-Throughput JPEG 2000
// (ISO/IEC 15444-15 | T.814 on ISO/IEC 15444-1 | T.800).
//
// An [Encoder] writes what DICOM's transfer syntax .202 asks for (PS3.5 10.18): one tile, reversible 5/3 wavelet, one
// HT cleanup pass for each code-block of 64 x 64, progression RPCL, one tile-part for each resolution level and TLM, so that a
// prefix of the codestream is the image at a lower resolution. It takes 1 or 3 components of 1 to 16 bits, signed or not, and uses
// the reversible colour transform if it is told that they are red, green and blue.
//
// A [Decoder] reads codestreams of HT code-blocks as .201, .202 and .203 may carry them: refinement passes, quality layers, all
// progressions, tiles, precincts, offsets, the irreversible 9/7 wavelet, packed headers, regions of interest; fully, at a reduced resolution, or from a
// prefix. Code-blocks of Part 1 (mixed codestreams) and several components of different sizes in one view are unsupported;
// [Decoder.DecodeComponents] takes the latter.
//
// [LevelEnds] and [Reduce] cut codestreams at their resolution levels without decoding them.
//
// Both keep a few lines and one row of code-blocks of each sub-band, never an image: a frame of 400 megapixels takes some
// 40 MB beside the coded bytes. The encoder's block coder and the decoder's share the tables of the standard and nothing else.
//
// The parts are in codecs/internal/jp2k: codestream (marker segments), geom (tiles to code-blocks), packet, ht (block coder),
// wavelet, mct. Their hot loops have kernels for amd64 with AVX2 and BMI2, chosen at run time, and plain twins that give the same bytes.
package htj2k

// codecName is what errors call this codec.
const codecName = "htj2k"
