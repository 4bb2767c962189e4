package dcm

// Limits bounds what an input may ask for. The zero value of a field means its default.
type Limits struct {
	MaxDepth       int   // nesting of sequences; default 32
	MaxElements    int   // top-level elements of a file, and elements of one item that are held; default 200,000
	MaxNested      int   // elements and items inside sequences that are stepped over; default 1<<23
	MaxHeaderBytes int64 // sum of the element bytes that are not bulk (a value over 64 KiB); for ReadDataset, of all it holds; default 64 MiB
	MaxInflate     int64 // bytes of an inflated data set; default 1 GiB
	MaxFragments   int   // fragments of one pixel data element; default 1<<22
	MaxValue       int64 // values longer than this are left out by ReadDataset, except sequences; default 256 KiB

	// SkipFragments makes Scan stop where encapsulated pixel data starts:
	// enough to tell whose file it is, without a read for each fragment. Pixel and Image stay nil, as for a file without pixels.
	SkipFragments bool
}

// bulkBytes is the length from which a value no longer counts as header.
const bulkBytes = 64 << 10

func (l Limits) withDefaults() Limits {
	if l.MaxDepth == 0 {
		l.MaxDepth = 32
	}
	if l.MaxElements == 0 {
		l.MaxElements = 200_000
	}
	if l.MaxNested == 0 {
		l.MaxNested = 1 << 23
	}
	if l.MaxHeaderBytes == 0 {
		l.MaxHeaderBytes = 64 << 20
	}
	if l.MaxInflate == 0 {
		l.MaxInflate = 1 << 30
	}
	if l.MaxFragments == 0 {
		l.MaxFragments = 1 << 22
	}
	if l.MaxValue == 0 {
		l.MaxValue = 256 << 10
	}
	return l
}
