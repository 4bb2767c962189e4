package htj2k

import (
	"sync"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
	"github.com/radtier/radtier/codecs/internal/jp2k/packet"
)

// cutter finds resolution levels in codestreams without decoding code-blocks.
type cutter struct {
	cs      codestream.Reader
	params  codestream.Params
	tile    geom.Tile
	packets packet.Reader
}

// cutBytes bounds the memory for the code-blocks of a codestream that is cut, which a header of some bytes can ask for: 32 MiB hold those
// of 64 x 64 samples of an image of 35,000 x 35,000. Others are not cut.
const cutBytes = 32 << 20

var cutters = sync.Pool{New: func() any { return new(cutter) }}

// LevelEnds appends to dst, for each resolution level from the lowest, the
// length of the prefix of src that holds all packets of it and of those below it. See codecs.Syntax.
func LevelEnds(dst []int64, src []byte) ([]int64, error) {
	k := cutters.Get().(*cutter)
	defer cutters.Put(k)
	if err := k.cs.Open(src, codecs.Limits{MaxBytes: cutBytes}); err != nil {
		return dst, err
	}
	if err := k.cs.Scan(false); err != nil {
		return dst, err
	}
	return k.packets.LevelEnds(dst, &k.cs, &k.tile)
}

// Reduce appends to dst a complete codestream of the image without its drop highest resolution levels: new
// headers around the same packets. Of src only the prefix that holds them is needed. See codecs.Syntax.
func Reduce(dst, src []byte, drop int) ([]byte, error) {
	k := cutters.Get().(*cutter)
	defer cutters.Put(k)
	if err := k.cs.Open(src, codecs.Limits{MaxBytes: cutBytes}); err != nil {
		return dst, err
	}
	if err := k.cs.Scan(true); err != nil {
		return dst, err
	}
	if err := k.cs.PreviewError(drop); err != nil {
		return dst, err
	}
	if err := k.cs.TileParams(0, &k.params); err != nil {
		return dst, err
	}
	if err := k.tile.Set(&k.cs.Size, &k.params, 0, cutBytes); err != nil {
		return dst, err
	}
	if err := k.packets.Read(&k.tile, &k.cs, &k.params, drop); err != nil {
		return dst, err
	}
	return codestream.AppendPreview(dst, &k.cs, k.packets.Ends[:int(k.cs.Coding[0].Levels)-drop+1], drop)
}
