package geom

// Kind says which coder a code-block has.
type Kind uint8

// Kinds of code-blocks.
const (
	Unknown Kind = iota // nothing but placeholder passes came yet, or nothing at all
	HT                  // T.814
	MQ                  // T.800 Annex D
)

// Block is a code-block: where its bytes are and what packet headers say of it.
//
// Decoding, HT: the bytes of the last HT set that has any (an earlier one
// tells the same with fewer bit-planes) are the cleanup segment Src[Off:Off+Len], and the refinement
// segment, which may lie in two layers. Decoding, MQ: a list of chunks in Tile.Chunks.
// Offsets count from the start of the codestream.
//
// Encoding: one cleanup pass, arena[Off:Off+Len].
type Block struct {
	Off, Len uint32  // cleanup segment; Len 0: the block is not there, all its coefficients are 0
	Ref      [2]Span // refinement segment in the order of its parts; the second is mostly empty
	First    int32   // MQ: 1 + index in Tile.Chunks of the first chunk, 0 if there is none
	Last     int32   // MQ: 1 + index of the last one
	Total    uint16  // all passes so far, placeholder passes and all HT sets included
	Zero     uint8   // missing bit-planes as the packet header has them (B.10.5)
	Missing  uint8   // HT: those of the set that is to be decoded: Zero and one for each set or placeholder set before it
	Passes   uint8   // HT: passes of that set, 1..3; 2 and 3 have a refinement segment
	Lblock   uint8   // of the header coder (B.10.7.1)
	Kind     Kind
	Included bool // some packet had it
}

// Span is a piece of the codestream.
type Span struct{ Off, Len uint32 }

// Chunk is what one packet adds to a codeword segment of a Part 1 code-block.
type Chunk struct {
	Off, Len uint32
	Passes   uint8
	New      bool  // begins a codeword segment
	Next     int32 // 1 + index of the next chunk of the block, 0 at the end
}

// Cleanup is the cleanup segment in the codestream or arena that Off counts from.
func (b *Block) Cleanup(src []byte) []byte { return src[b.Off:][:b.Len:b.Len] }

// Refinement is the refinement segment (SigProp and MagRef). If it lies in two
// places, it is put together in scratch, which is returned for the next call.
func (b *Block) Refinement(src, scratch []byte) (segment, newScratch []byte) {
	a, c := b.Ref[0], b.Ref[1]
	first := src[a.Off:][:a.Len:a.Len]
	if c.Len == 0 {
		return first, scratch
	}
	scratch = append(append(scratch[:0], first...), src[c.Off:][:c.Len]...)
	return scratch, scratch
}
