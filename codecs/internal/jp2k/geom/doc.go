// Package geom is the geometry of JPEG 2000 (T.800 Annex B): how an image
// area divides into tiles, tile-components, resolution levels, sub-bands,
// precincts and code-blocks, and the descriptors of code-blocks that packet headers fill.
//
// A [Tile] holds one tile at a time and is reused: [Tile.Set] counts
// everything first and compares the memory with a limit, so that a header of a
// few bytes (precincts of one sample over 65535 x 65535) costs nothing. Coordinates are exact
// for every image area, tile offset and sub-sampling. Errors are those of package codecs.
//
// Names of the standard and names here:
//
//	tcx0 tcy0 tcx1 tcy1      TileComponent.Rect                    B-12
//	trx0 try0 trx1 try1      Resolution.Rect                       B-14
//	tbx0 tby0 tbx1 tby1      Band.Rect                             B-15
//	numprecinctswide, -high  Resolution.PW, PH                     B-16
//	xcb', ycb'               Band.BlockW, BlockH                   B-17, B-18
//	Mb                       Band.Planes                           E-2
package geom
