// Package pack is the storage format: many instances in one object, each
// rebuilt to the very bytes that were received.
//
// A pack (a volume) is a ZIP archive of stored entries, written front to back
// without seeking:
//
//	i000000f000000.jls   one frame's codestream (.jls, .jhc, .rle, .zst: zstd of its raw words, .bin: bytes as received)
//	i000000f000000.res   residue of that frame, absent when zero
//	i000000v000000.zst   a long value (private pixels, waveform, document), .bin when zstd does not help
//	h000000.zst          a block of header bytes of up to 64 instances
//	index.rti            the Index, last entry of all
//
// An instance never spans two volumes, so one object is enough to restore it.
// Sizes and CRC-32 stand in the local headers, so a pack can be read with its central directory lost.
// A hot bundle (one small object per study that stays hot) holds a copy of
// every volume's index and header blocks, and the thumbnails.
// docs/pack-format.md describes the bytes.
package pack

import "crypto/sha256"

// Version of the format that this package writes. Readers accept it and all before it.
const Version = 1

const (
	MaxVolumeBytes   = 1 << 30  // a volume is closed before an instance that would pass this
	MaxVolumeEntries = 50_000   // likewise
	BlockInstances   = 64       // instances whose headers share a block
	BlockBytes       = 1 << 20  // header bytes, before compression, that close a block
	BulkBytes        = 64 << 10 // values longer than this get an entry of their own
	DigestBytes      = 16 << 20 // stretch of a volume that has a SHA-256 of its own, for scrubbing and resuming
)

// Digest is a SHA-256. The zero value means: not known.
type Digest [sha256.Size]byte

// Coding says what the bytes of an entry are.
type Coding uint8

const (
	CodingBytes  Coding = iota // as received: one or more fragments of a frame, or a value
	CodingZstd                 // zstd of the bytes as received
	CodingJPEGLS               // JPEG-LS lossless, 1.2.840.10008.1.2.4.80
	CodingHTJ2K                // HTJ2K lossless RPCL, 1.2.840.10008.1.2.4.202
	CodingRLE                  // PS3.5 Annex G, 1.2.840.10008.1.2.5
)

// Index is the directory of one volume.
type Index struct {
	StudyUID  string
	Writer    string // build, codec versions and kernel paths that made the frames, so that a bad build can be recalled
	Blocks    []Block
	Entries   []Entry
	Instances []Instance
	Digests   []Digest // of each DigestBytes of the volume, up to the index entry's local header
}

// Block is a run of header bytes, compressed together.
type Block struct {
	Offset, Size int64 // of the zstd frame inside the volume
	RawSize      int64
	SHA256       Digest // of the zstd frame
}

// Entry is the payload of one stored ZIP entry.
type Entry struct {
	Offset, Size int64 // of the payload inside the volume
	RawSize      int64 // bytes after decoding: of the value, or of the native frame
	Coding       Coding
	SHA256       Digest  // of the payload
	LevelEnds    []int64 // of progressive codestreams: bytes up to the end of each resolution level, lowest first
}

// Instance is one received file.
type Instance struct {
	SeriesUID, SOPUID, ClassUID string // verbatim, whatever they contain
	Syntax                      string // Transfer Syntax UID as received
	Stored                      string // Transfer Syntax UID of the stored frames; Syntax if kept as received
	Reason                      string // why frames were kept as received, empty if they were encoded
	FileSize                    int64
	FileSHA256                  Digest // of the received file
	NativeSHA256                Digest // of all native words, little endian, planar 0, no pad byte; zero if not decoded
	SampleSHA256                Digest // of all samples masked and sign-extended in container words, planar 0; equal for every lossless encoding of the image; zero if not decoded
	Exact                       bool   // Rebuild gives the received bytes; else element- and sample-identical
	Image                       *Image
	Header                      HeaderRange
	Frames                      []Frame
	Segments                    []Segment
}

// HeaderRange is where the header bytes of an instance lie inside a block, decompressed.
type HeaderRange struct {
	Block        int
	Offset, Size int64
}

// Image is the pixel recipe: what is needed to lay decoded samples out as they were received.
type Image struct {
	Rows, Columns, Frames, Samples     int
	BitsAllocated, BitsStored, HighBit int
	Signed, Planar, BigEndian          bool // Planar: Planar Configuration 1. BigEndian: order of 16-bit words as received
	Photometric                        string
	Modality                           string
}

// Frame is one frame of an instance.
type Frame struct {
	Entry        int    // index of its codestream in Index.Entries
	Residue      int    // index of its residue entry, or -1: zstd of (received bytes XOR rebuilt bytes)
	SignFill     bool   // bits above BitsStored repeat the sign; else they are zero
	SampleSHA256 Digest // of this frame's samples, as in Instance; zero if not decoded
}

// Segment is a stretch of the received file. The segments of an instance, in order, are the whole file.
type Segment struct {
	Kind   SegmentKind
	Length int64 // bytes of the received file
	Ref    int   // SegmentFrame: index in Instance.Frames; SegmentEntry: index in Index.Entries
	Offset int64 // first byte inside the frame's or entry's raw bytes (a frame of several fragments is one entry and several segments)
}

// SegmentKind says where the bytes of a segment come from.
type SegmentKind uint8

const (
	SegmentHeader SegmentKind = iota // the next Length bytes of the instance's header bytes
	SegmentFrame                     // bytes of frame Ref: decoded and laid out as received, or, of CodingBytes, the fragments as received
	SegmentEntry                     // bytes of entry Ref (decompressed if it is zstd)
)
