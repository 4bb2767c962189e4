// Package codestream reads, writes and rewrites the marker segments of JPEG
// 2000 codestreams: ISO/IEC 15444-1 (ITU-T T.800) Annex A, with the
// capabilities of High-Throughput JPEG 2000, ISO/IEC 15444-15 (T.814) Annex A.
//
// A [Reader] takes a codestream apart into its main header and tile-parts. It
// never looks into packets; package packet does. A [Writer] makes the headers
// around packets that somebody else wrote. [AppendPreview] makes a small complete
// codestream of the lowest resolutions of a large one, [Outline] and [Join]
// bring both together again, and [CheckRPCL] says whether a codestream is what
// DICOM calls HTJ2K Lossless RPCL.
//
// All values here are plain data without pointers into the source, except for
// the Reader, which keeps the source until its next Open. Nothing is trusted:
// lengths, indices and counts are checked before use. Errors are
// *codecs.MalformedError with the offset of the offending marker segment or
// field, *codecs.UnsupportedError and *codecs.LimitError, all with Codec "htj2k".
//
// Names of the standard and names here:
//
//	Rsiz Xsiz Ysiz XOsiz YOsiz        Size.Rsiz, X1, Y1, X0, Y0         A.5.1
//	XTsiz YTsiz XTOsiz YTOsiz         Size.TileW, TileH, TileX0, TileY0 A.5.1
//	Ssiz XRsiz YRsiz                  Component                         A.5.1
//	SGcod, Scod                       Params.Order, Layers, MCT, SOP    A.6.1
//	SPcod, SPcoc                      Coding                            A.6.1, A.6.2
//	Sqcd SPqcd, Sqcc SPqcc            Quant                             A.6.4, A.6.5
//	SPrgn                             Params.ROI                        A.6.3
//	RSpoc CSpoc LYEpoc REpoc CEpoc    Change                            A.6.6
//	Isot TPsot TNsot Psot             TilePart                          A.4.2
//	Pcap, Ccap15                      HT                                A.5.2, T.814 A.3
package codestream
