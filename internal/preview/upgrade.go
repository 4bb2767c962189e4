package preview

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/radtier/radtier/internal/pack"
)

// Markers of T.800 Annex A that a codestream is taken apart by.
const (
	markerSOC  = 0xFF4F
	markerCOD  = 0xFF52
	markerCOC  = 0xFF53
	markerSOT  = 0xFF90
	markerSOD  = 0xFF93
	sotBytes   = 12 // marker segment of A.4.2
	partHeader = sotBytes + 2
	eocBytes   = 2

	progressionRPCL = 2 // Table A.16
	reversible53    = 1 // Table A.20
)

// MainHeader returns the main header of a codestream: all up to its first SOT marker segment (T.800 A.1). nil if there is none.
func MainHeader(stream []byte) []byte {
	if len(stream) < 2 || binary.BigEndian.Uint16(stream) != markerSOC {
		return nil
	}
	for at := 2; at+4 <= len(stream); {
		if binary.BigEndian.Uint16(stream[at:]) == markerSOT {
			return stream[:at:at]
		}
		n := int(binary.BigEndian.Uint16(stream[at+2:]))
		if n < 2 {
			return nil
		}
		at += 2 + n
	}
	return nil
}

// notCut says what in the main header of a codestream keeps its levels from being one of Syntax (PS3.5 10.18: progression RPCL,
// reversible), "" if nothing does. Codestreams kept as received may be others.
func notCut(stream []byte) string {
	header := MainHeader(stream)
	coding := false
	for at := 2; at+4 <= len(header); at += 2 + int(binary.BigEndian.Uint16(header[at+2:])) {
		switch marker, body := binary.BigEndian.Uint16(header[at:]), header[at+4:]; {
		case marker == markerCOC:
			return "components coded differently"
		case marker == markerCOD && len(body) < 10:
			return "a COD marker segment that is too short"
		case marker == markerCOD && body[1] != progressionRPCL:
			return "a progression other than RPCL"
		case marker == markerCOD && body[9] != reversible53:
			return "an irreversible wavelet"
		case marker == markerCOD:
			coding = true
		}
	}
	if !coding {
		return "no COD marker segment"
	}
	return ""
}

// SetUpgrade finds out whether small, which was cut out of full's prefix, can be
// completed to it by Upgrade, and notes what that takes: full must have one tile-part per resolution level
// and tile-part headers of SOT and SOD alone. f has its LevelEnds and Factor. prefix is the codestream up to the end of the highest level kept.
func (f *Frame) SetUpgrade(small, prefix []byte) {
	f.Header, f.Parts = nil, 0
	header := MainHeader(prefix)
	if header == nil || len(header)+partHeader > len(prefix) {
		return
	}
	f.Header, f.Parts = append([]byte(nil), header...), int(prefix[len(header)+11])
	got, err := f.prefix(nil, small)
	if err != nil || string(got) != string(prefix) {
		f.Header, f.Parts = nil, 0
	}
}

// Rest is the range of the volume that Upgrade needs beside the small
// codestream: what follows the levels that it has, or the whole frame if it cannot be completed.
func (f *Frame) Rest() pack.Range {
	if f.Header == nil || f.Method != Reduced {
		return f.Full
	}
	have := f.LevelEnds[f.Kept()-1]
	return pack.Range{f.Full[0] + have, f.Full[1] - have}
}

var errUpgrade = errors.New("preview: small codestream and index do not fit")

// Upgrade appends to dst the full codestream of a frame, made of the small
// one and the bytes of Rest: the original main header, the tile-parts of the small
// one with their original headers, and the rest. The result is byte for byte what the full pack holds, where its index has the SHA-256.
func Upgrade(dst []byte, f *Frame, small, rest []byte) ([]byte, error) {
	if want := f.Rest()[1]; int64(len(rest)) != want {
		return dst, fmt.Errorf("%w: the rest has %d bytes, must have %d", errUpgrade, len(rest), want)
	}
	if f.Header != nil && f.Method == Reduced {
		var err error
		if dst, err = f.prefix(dst, small); err != nil {
			return dst, err
		}
	}
	return append(dst, rest...), nil
}

// prefix appends the full codestream up to the end of the levels that the small one has.
func (f *Frame) prefix(dst, small []byte) ([]byte, error) {
	base, kept := len(dst), f.Kept()
	if kept < 1 || kept > len(f.LevelEnds) {
		return dst, fmt.Errorf("%w: %d levels without %d", errUpgrade, len(f.LevelEnds), f.Factor)
	}
	head := MainHeader(small)
	if head == nil {
		return dst, fmt.Errorf("%w: no main header", errUpgrade)
	}
	dst = append(dst, f.Header...)
	at := len(head)
	for level := range kept {
		part := small[at:]
		if len(part) < partHeader || binary.BigEndian.Uint16(part) != markerSOT || binary.BigEndian.Uint16(part[sotBytes:]) != markerSOD {
			return dst[:base], fmt.Errorf("%w: no tile-part for level %d", errUpgrade, level)
		}
		length := int64(binary.BigEndian.Uint32(part[6:]))
		if level == len(f.LevelEnds)-1 { // the end of the highest level is that of the codestream, EOC included
			length += eocBytes
		}
		if length < partHeader || length > int64(len(part)) || int64(len(dst)-base)+length != f.LevelEnds[level] {
			return dst[:base], fmt.Errorf("%w: tile-part of level %d has %d bytes", errUpgrade, level, length)
		}
		start := len(dst)
		dst = append(dst, part[:length]...)
		dst[start+10], dst[start+11] = byte(level), byte(f.Parts)
		at += int(length)
	}
	return dst, nil
}
