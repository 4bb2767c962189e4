package pack

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// An encoded index is a header of 64 bytes and a zstd frame:
//
//	0   8  magic "RTINDEX\n"
//	8   4  version
//	12  4  flags, 0: none is defined; bit 0 is reserved for encrypted volumes
//	16  8  bytes of the body, decompressed
//	24  8  bytes of the zstd frame
//	32 32  SHA-256 of bytes 0..31 and the zstd frame
//
// All numbers are little endian. Magic and this header stay as they are in
// every version, so a reader always knows whether an index is intact before
// it asks whether it understands it.
const (
	indexMagic       = "RTINDEX\n"
	indexHeaderBytes = 64
	maxIndexBody     = 256 << 20 // bytes of a decompressed body; about a million frames

	maxIndexInstances = 1 << 20
	maxIndexEntries   = 1 << 22
	maxIndexSegments  = 1 << 23
	maxBlockRaw       = 1 << 31 // bytes of a decompressed header block; more than BlockBytes if one header is larger
	maxOffset         = 1 << 50 // any offset or size
)

const (
	instanceExact      = 1 << iota
	instanceFile       // FileSHA256 is in the digests
	instanceNative     // NativeSHA256 is in the digests
	instanceNativeSame // NativeSHA256 equals SampleSHA256
	instanceSample     // SampleSHA256 is in the digests
	instanceSampleSame // SampleSHA256 equals that of the only frame
	instanceFlags      = 1<<iota - 1
)

const (
	frameSignFill = 1 << iota
	frameSample   // SampleSHA256 is in the digests
	frameFlags    = 1<<iota - 1
)

const (
	imageSigned = 1 << iota
	imagePlanar
	imageBigEndian
	imageFlags = 1<<iota - 1
)

// EncodeIndex returns the bytes of an index. Equal indexes give equal bytes
// within a build. It returns a *MalformedError for an index that breaks the rules of the format.
func EncodeIndex(x *Index) ([]byte, error) {
	if err := x.check(); err != nil {
		return nil, err
	}
	body := encodeBody(x)
	if len(body) > maxIndexBody {
		return nil, &LimitError{"bytes of an index", int64(len(body)), maxIndexBody}
	}
	out := make([]byte, indexHeaderBytes, indexHeaderBytes+len(body)/2)
	out = compressTight(out, body)
	copy(out, indexMagic)
	binary.LittleEndian.PutUint32(out[8:], Version)
	binary.LittleEndian.PutUint64(out[16:], uint64(len(body)))
	binary.LittleEndian.PutUint64(out[24:], uint64(len(out)-indexHeaderBytes))
	sum := indexSum(out)
	copy(out[32:], sum[:])
	return out, nil
}

func indexSum(p []byte) Digest {
	h := sha256.New()
	h.Write(p[:32])
	h.Write(p[indexHeaderBytes:])
	var d Digest
	h.Sum(d[:0])
	return d
}

// DecodeIndex reads what EncodeIndex wrote. Damage and bytes that are no
// index are a *MalformedError, an intact index of a later version is a
// *VersionError. Memory is bounded by a small multiple of the decompressed
// body, which is at most 256 MiB. Instances share their Image values: do not change them.
func DecodeIndex(p []byte) (*Index, error) {
	if len(p) < indexHeaderBytes || string(p[:8]) != indexMagic {
		return nil, &MalformedError{"not an index", 0}
	}
	if n := binary.LittleEndian.Uint64(p[24:]); n != uint64(len(p)-indexHeaderBytes) {
		return nil, &MalformedError{fmt.Sprintf("index of %d bytes, header says %d", len(p)-indexHeaderBytes, n), 24}
	}
	if sum := indexSum(p); string(sum[:]) != string(p[32:64]) {
		return nil, &MalformedError{"index does not match its SHA-256", 32}
	}
	if v := binary.LittleEndian.Uint32(p[8:]); v == 0 || v > Version {
		return nil, &VersionError{Version: int(v)}
	}
	if f := binary.LittleEndian.Uint32(p[12:]); f != 0 {
		return nil, &VersionError{Version: Version, Flags: f}
	}
	size := binary.LittleEndian.Uint64(p[16:])
	if size > maxIndexBody {
		return nil, &LimitError{"bytes of an index", int64(min(size, 1<<62)), maxIndexBody}
	}
	body, err := DecompressZstd(nil, p[indexHeaderBytes:], int64(size))
	if err != nil {
		return nil, fmt.Errorf("index body: %w", err)
	}
	if uint64(len(body)) != size {
		return nil, &MalformedError{fmt.Sprintf("index body of %d bytes, header says %d", len(body), size), 16}
	}
	x, err := decodeBody(body)
	if err != nil {
		return nil, err
	}
	if err := x.check(); err != nil {
		return nil, err
	}
	return x, nil
}

// check reports the first broken rule that readers rely on.
func (x *Index) check() error {
	bad := func(format string, args ...any) error {
		return &MalformedError{"index: " + fmt.Sprintf(format, args...), -1}
	}
	end := int64(0)
	for i, e := range x.Entries {
		if e.Offset < end || e.Size < 0 || e.Offset > maxOffset || e.Size > maxOffset || e.RawSize < 0 || e.RawSize > maxOffset || !e.Coding.known() {
			return bad("entry %d is out of order or range", i)
		}
		for j, l := range e.LevelEnds {
			if l < 0 || l > e.Size || j > 0 && l < e.LevelEnds[j-1] {
				return bad("entry %d: level ends", i)
			}
		}
		end = e.Offset + e.Size
	}
	end = 0
	for i, b := range x.Blocks {
		if b.Offset < end || b.Size < 0 || b.Offset > maxOffset || b.Size > maxOffset || b.RawSize < 0 || b.RawSize > maxBlockRaw {
			return bad("block %d is out of order or range", i)
		}
		end = b.Offset + b.Size
	}
	used := make([]bool, len(x.Entries))
	use := func(e int) bool {
		ok := e >= 0 && e < len(used) && !used[e]
		if ok {
			used[e] = true
		}
		return ok
	}
	var last HeaderRange
	for i := range x.Instances {
		inst := &x.Instances[i]
		block := int64(-1)
		if b := inst.Header.Block; b >= 0 && b < len(x.Blocks) {
			block = x.Blocks[b].RawSize
		}
		if err := x.checkInstance(inst, last, block, use); err != nil {
			return fmt.Errorf("instance %d (%q): %w", i, inst.SOPUID, err)
		}
		last = inst.Header
	}
	return nil
}

// checkInstance checks one instance after that with the header last. block is
// the raw size of its header block, -1 if there is none; use marks an entry as taken and reports whether it was free.
func (x *Index) checkInstance(inst *Instance, last HeaderRange, block int64, use func(int) bool) error {
	bad := func(format string, args ...any) error { return &MalformedError{fmt.Sprintf(format, args...), -1} }
	for _, s := range [...]string{inst.SeriesUID, inst.SOPUID, inst.ClassUID, inst.Syntax, inst.Stored, inst.Reason} {
		if len(s) > mostString {
			return &LimitError{"bytes of a UID or reason", int64(len(s)), mostString}
		}
	}
	if h := inst.Header; h.Offset < 0 || h.Size < 0 || h.Offset > maxOffset || h.Size > maxOffset || h.Offset+h.Size > block {
		return bad("header range is outside its block")
	} else if h.Offset < last.follow(h.Block) {
		return bad("header range is out of order")
	}
	for f, fr := range inst.Frames {
		if !use(fr.Entry) || fr.Residue >= 0 && (fr.Residue <= fr.Entry || !use(fr.Residue)) || fr.Residue < -1 {
			return bad("frame %d: entry that is not there or taken", f)
		}
		if c := x.Entries[fr.Entry].Coding; c.Syntax() != "" && inst.Image == nil {
			return bad("frame %d: codestream without image", f)
		} else if c.Syntax() == "" && fr.Residue >= 0 {
			return bad("frame %d: residue of a frame that is stored as received", f)
		}
	}
	taken := -1
	var total, header int64
	for i, s := range inst.Segments {
		if s.Length < 0 || s.Length > maxOffset || s.Offset < 0 || s.Offset > maxOffset {
			return bad("segment %d is out of range", i)
		}
		total += s.Length
		var raw int64
		switch s.Kind {
		case SegmentHeader:
			header += s.Length
			if s.Ref != 0 || s.Offset != 0 {
				return bad("segment %d: header with a reference", i)
			}
			continue
		case SegmentFrame:
			if s.Ref < 0 || s.Ref >= len(inst.Frames) {
				return bad("segment %d: no frame %d", i, s.Ref)
			}
			raw = x.Entries[inst.Frames[s.Ref].Entry].RawSize
		case SegmentEntry:
			// A value that is cut into several segments comes in one run.
			if s.Ref != taken && !use(s.Ref) {
				return bad("segment %d: entry that is not there or taken", i)
			}
			if taken = s.Ref; x.Entries[s.Ref].Coding.Syntax() != "" {
				return bad("segment %d: value that is a codestream", i)
			}
			raw = x.Entries[s.Ref].RawSize
		default:
			return bad("segment %d: kind %d", i, s.Kind)
		}
		// The frames of a transcoded source are other bytes than the received ones.
		if (inst.Exact || s.Kind == SegmentEntry) && s.Offset+s.Length > raw {
			return bad("segment %d is longer than its bytes", i)
		}
	}
	if total != inst.FileSize || total > maxOffset {
		return bad("segments are %d bytes, the file is %d", total, inst.FileSize)
	}
	if header != inst.Header.Size {
		return bad("header segments are %d bytes, the header is %d", header, inst.Header.Size)
	}
	return nil
}

// dataEnd is the offset of the byte after the last payload: where the local header of the index entry starts.
func (x *Index) dataEnd() int64 {
	var end int64
	if n := len(x.Entries); n > 0 {
		end = x.Entries[n-1].Offset + x.Entries[n-1].Size
	}
	if n := len(x.Blocks); n > 0 {
		end = max(end, x.Blocks[n-1].Offset+x.Blocks[n-1].Size)
	}
	return end
}
