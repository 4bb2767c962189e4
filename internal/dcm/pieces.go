package dcm

// PieceKind says what the bytes of a [Piece] are.
type PieceKind uint8

const (
	Header      PieceKind = iota // everything that is no sample data: preamble, elements, item headers, offset tables, padding
	NativeFrame                  // one frame of native pixel data
	FragmentOf                   // one fragment of encapsulated pixel data
	Bulk                         // one long value, or native pixel data that is not whole frames
)

func (k PieceKind) String() string {
	return [...]string{"header", "frame", "fragment", "bulk"}[k]
}

// Piece is a range of bytes of a file.
type Piece struct {
	Kind     PieceKind
	Frame    int // NativeFrame, FragmentOf: frame index from 0; FragmentOf -1 if frames cannot be told apart
	Fragment int // FragmentOf: fragment index from 0
	Offset   int64
	Length   int64
}

// Pieces splits the file into pieces that cover [0, Size) in order, without
// gap or overlap. Values of top-level elements longer than bulk bytes become
// Bulk, but for sequences, which hold structure. Scan and ReadDataset, with MaxValue at most bulk, need only the
// Header pieces, save for the first bytes of fragments where no offset table tells frames apart. Native pixel data becomes as many frames as it holds whole, at most
// those declared; what is left over is Header, or Bulk when longer than bulk.
// Empty fragments have no piece. The data set of a deflated file is one Bulk.
func (f *File) Pieces(bulk int64) []Piece {
	p := pieces{bulk: bulk}
	if f.inflated != nil {
		p.piece(Piece{Kind: Bulk, Offset: f.MetaEnd, Length: f.Size - f.MetaEnd})
		return p.upTo(f.Size)
	}
	for _, e := range f.Elements {
		switch px := f.Pixel; {
		case px == nil || e.Offset != px.Offset:
			if e.Length > bulk && !e.isSequence() {
				p.piece(Piece{Kind: Bulk, Offset: e.ValueOffset, Length: e.Length})
			}
		case px.Encapsulated:
			p.fragments(px)
		default:
			p.native(f)
		}
	}
	return p.upTo(f.Size)
}

type pieces struct {
	list []Piece
	end  int64
	bulk int64
}

// piece appends a piece and the header bytes before it.
func (p *pieces) piece(x Piece) {
	if x.Length == 0 {
		return
	}
	p.upTo(x.Offset)
	p.list = append(p.list, x)
	p.end = x.Offset + x.Length
}

func (p *pieces) upTo(off int64) []Piece {
	if off > p.end {
		p.list = append(p.list, Piece{Kind: Header, Offset: p.end, Length: off - p.end})
		p.end = off
	}
	return p.list
}

func (p *pieces) fragments(px *PixelData) {
	frame := 0
	for i, fr := range px.Fragments {
		x := Piece{Kind: FragmentOf, Frame: -1, Fragment: i, Offset: fr.ValueOffset, Length: fr.Length}
		if px.Frames != nil {
			for i >= px.Frames[frame][1] {
				frame++
			}
			x.Frame = frame
		}
		p.piece(x)
	}
}

// maxFramePieces is the number of frames up to which native pixel data is split: more are one Bulk.
const maxFramePieces = 1 << 20

func (p *pieces) native(f *File) {
	px, size := f.Pixel, f.FrameSize()
	at := px.ValueOffset
	if size > 0 && px.FrameProblem != severalPixels {
		n := min(px.Length/size, int64(f.Image.Frames))
		if n <= maxFramePieces {
			for i := range int(n) {
				p.piece(Piece{Kind: NativeFrame, Frame: i, Offset: at, Length: size})
				at += size
			}
		}
	}
	if left := px.End - at; left > p.bulk {
		p.piece(Piece{Kind: Bulk, Offset: at, Length: left})
	}
}
