package pack

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
)

const (
	tailBytes   = 64 << 10  // what OpenVolume asks for first: most volumes' directory end, small ones' index too
	searchBytes = 384 << 20 // how far from the end of a damaged volume its index can lie
	searchChunk = 4 << 20
)

// OpenVolume reads the index of a volume of size bytes from the volume
// itself, in one or two requests: the tail, which has the last record of the
// central directory, and the index entry that it points to. If the central
// directory is missing or broken, the index is searched backwards from the end. An index that is missing or
// broken is a *DamagedError; with the copy from the hot bundle and [NewVolume], all that is intact can still be read.
func OpenVolume(ctx context.Context, r Ranger, size int64) (*Volume, error) {
	tail, err := readRange(ctx, r, max(0, size-tailBytes), min(size, tailBytes))
	if err != nil {
		return nil, err
	}
	x, err := indexByDirectory(ctx, r, size, tail)
	if damaged(err) {
		x, err = searchIndex(ctx, r, size)
	}
	if err != nil {
		return nil, err
	}
	v := NewVolume(x, r, nil)
	v.Size = size
	return v, nil
}

// damaged tells damage from failures to read and from later versions.
func damaged(err error) bool {
	var d *DamagedError
	var m *MalformedError
	var l *LimitError
	return errors.As(err, &d) || errors.As(err, &m) || errors.As(err, &l)
}

func noIndex(what string, err error) error {
	return &DamagedError{Part: "index", Frame: -1, Offset: -1, What: what, Err: err}
}

// indexByDirectory finds the index by the last record of the central directory, which lies right before its end records.
func indexByDirectory(ctx context.Context, r Ranger, size int64, tail []byte) (*Index, error) {
	le := binary.LittleEndian
	end := len(tail) - endBytes
	if end < 0 || le.Uint32(tail[end:]) != signatureEnd {
		return nil, noIndex("no end of central directory", nil)
	}
	if at := end - locatorBytes - end64Bytes; at >= 0 && le.Uint32(tail[at:]) == signatureEnd64 {
		end = at
	}
	for _, extra := range [...]int{0, 12} { // the offset needs zip64 in a volume of more than 4 GiB
		at := end - centralBytes - len(indexName) - extra
		if at < 0 || le.Uint32(tail[at:]) != signatureCentral || string(tail[at+centralBytes:end-extra]) != indexName {
			continue
		}
		n, offset := int64(le.Uint32(tail[at+20:])), int64(le.Uint32(tail[at+42:]))
		if extra > 0 {
			offset = int64(le.Uint64(tail[end-8:]))
		}
		payload := offset + localBytes + int64(len(indexName))
		if offset < 0 || payload > size || n > size-payload {
			return nil, noIndex("directory points outside the volume", nil)
		}
		if start := size - int64(len(tail)); payload >= start {
			return indexAt(tail[payload-start:][:n], payload)
		}
		p, err := readRange(ctx, r, payload, n)
		if err != nil {
			return nil, err
		}
		return indexAt(p, payload)
	}
	return nil, noIndex("last directory record is not that of the index", nil)
}

// indexAt decodes the index whose payload lies at offset. An index that
// belongs elsewhere, say of a volume that was itself stored as a value, is damage.
func indexAt(p []byte, offset int64) (*Index, error) {
	x, err := DecodeIndex(p)
	if err != nil {
		var later *VersionError
		if errors.As(err, &later) {
			return nil, err
		}
		return nil, &DamagedError{Part: "index", Frame: -1, Offset: offset, Err: err}
	}
	if x.dataEnd()+localBytes+int64(len(indexName)) != offset {
		return nil, &DamagedError{Part: "index", Frame: -1, Offset: offset, What: "is of another volume"}
	}
	return x, nil
}

// searchIndex looks for the magic of an index backwards from the end.
func searchIndex(ctx context.Context, r Ranger, size int64) (*Index, error) {
	last := noIndex("not found in the volume", nil)
	overlap := int64(len(indexMagic) - 1)
	for end := size; end > 0 && size-end < searchBytes; {
		start := max(0, end-searchChunk)
		p, err := readRange(ctx, r, start, min(end+overlap, size)-start)
		if err != nil {
			return nil, err
		}
		for at := bytes.LastIndex(p, []byte(indexMagic)); at >= 0; at = bytes.LastIndex(p[:at], []byte(indexMagic)) {
			x, err := readIndexAt(ctx, r, size, start+int64(at))
			if err == nil || !damaged(err) {
				return x, err
			}
			last = err
		}
		end = start
	}
	return nil, last
}

func readIndexAt(ctx context.Context, r Ranger, size, at int64) (*Index, error) {
	if size-at < indexHeaderBytes {
		return nil, noIndex("volume ends in the index header", nil)
	}
	head, err := readRange(ctx, r, at, indexHeaderBytes)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head[24:])
	if n > uint64(size-at-indexHeaderBytes) || n > maxIndexBody {
		return nil, noIndex("volume ends in the index", nil)
	}
	p, err := readRange(ctx, r, at, indexHeaderBytes+int64(n))
	if err != nil {
		return nil, err
	}
	return indexAt(p, at)
}
