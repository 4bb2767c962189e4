package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
)

// VerifyOptions says how much Verify does.
type VerifyOptions struct {
	Decode bool // rebuild every received file and compare its hashes, too
}

// Report counts what Verify looked at.
type Report struct {
	Bytes   int64 // of the volume
	Entries int   // frames, residues, values and header blocks
	Rebuilt int   // instances that were decoded and compared
}

// Verify reads the whole volume front to back and checks every bit of it:
// payloads by SHA-256 and CRC-32, the ZIP records by what they must be, each
// DigestBytes, the index, and the copies of the header blocks if it has them.
// It goes on after damage: the error joins one *DamagedError per damaged
// part. Any other error, such as a store that fails, ends it at once.
func (v *Volume) Verify(ctx context.Context, dec *Decoders, opts VerifyOptions) (Report, error) {
	k := &check{v: v, hurt: make(map[int]bool)}
	k.in.r, k.in.v = v.r, v
	if err := k.walk(ctx); err != nil {
		return k.report, err
	}
	if err := k.blockCopies(ctx); err != nil {
		return k.report, err
	}
	for i := range v.Index.Instances {
		if !opts.Decode || k.hurt[i] {
			continue
		}
		err := v.prove(ctx, dec, i)
		if err != nil && !damaged(err) {
			return k.report, err
		}
		if err != nil {
			k.damage = append(k.damage, err)
		}
		k.report.Rebuilt++
	}
	return k.report, errors.Join(k.damage...)
}

// check is the state of one Verify.
type check struct {
	v      *Volume
	in     sequence
	report Report
	damage []error
	places []int64      // offsets of damage found so far
	hurt   map[int]bool // instances with damage
}

func (k *check) add(err error, offset int64) {
	k.damage = append(k.damage, err)
	k.places = append(k.places, offset)
}

// stored is one payload that the index knows of.
type stored struct {
	offset, size int64
	name         string
	sum          Digest
	entry        int // index in Entries, -1 for a block
	block        int
}

func (v *Volume) layout() []stored {
	var list []stored
	for i, e := range v.Index.Entries {
		list = append(list, stored{e.Offset, e.Size, v.parts[i].name, e.SHA256, i, -1})
	}
	for i, b := range v.Index.Blocks {
		list = append(list, stored{b.Offset, b.Size, blockName(i), b.SHA256, -1, i})
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].offset < list[j].offset })
	return list
}

// walk reads the volume in order.
func (k *check) walk(ctx context.Context) error {
	k.in.stretch = newStretches()
	var central []byte
	n := 0
	for _, s := range k.v.layout() {
		at := k.in.pos
		want := appendLocal(nil, s.name, s.size, 0)
		if at+int64(len(want)) != s.offset {
			return &MalformedError{fmt.Sprintf("index: %s is not where the format puts it", s.name), s.offset}
		}
		local, err := k.in.take(ctx, int64(len(want)))
		if err != nil {
			return err
		}
		sum, crc := sha256.New(), crc32.NewIEEE()
		whole, err := k.in.copy(ctx, s.size, sum, crc)
		if err != nil {
			return err
		}
		k.report.Entries++
		written := crc.Sum32()
		switch {
		case !whole:
			k.addStored(s, errors.New("the volume ends early"))
		case Digest(sum.Sum(nil)) != s.sum:
			k.addStored(s, errors.New("SHA-256 differs"))
			if local != nil {
				written = binary.LittleEndian.Uint32(local[14:]) // as it was before the damage
			}
		}
		want = appendLocal(nil, s.name, s.size, written)
		if whole && !bytes.Equal(local, want) {
			k.add(&DamagedError{Part: "local header of " + s.name, Frame: -1, Offset: at}, at)
		}
		central = appendCentral(central, s.name, s.size, written, at)
		n++
	}
	digests := k.in.stretch.digests()
	k.in.stretch = nil
	if err := k.end(ctx, central, n); err != nil {
		return err
	}
	k.report.Bytes = k.in.pos
	k.stretches(digests)
	return nil
}

func (k *check) addStored(s stored, err error) {
	if s.entry >= 0 {
		k.add(k.v.entryDamage(s.entry, err), s.offset)
		if p := k.v.parts[s.entry]; p.instance >= 0 {
			k.hurt[p.instance] = true
		}
		return
	}
	k.add(k.v.blockDamage(s.block, err), s.offset)
	if k.v.copies == nil {
		for i := range k.v.Index.Instances {
			k.hurt[i] = k.hurt[i] || k.v.Index.Instances[i].Header.Block == s.block
		}
	}
}

// end checks the index entry, the central directory and that nothing follows.
func (k *check) end(ctx context.Context, central []byte, n int) error {
	at := k.in.pos
	bad := func(part string, at int64, what string, err error) {
		k.add(&DamagedError{Part: part, Frame: -1, Offset: at, What: what, Err: err}, at)
	}
	local, err := k.in.take(ctx, localBytes+int64(len(indexName)))
	if err != nil {
		return err
	}
	payload := k.in.pos
	head, err := k.in.take(ctx, indexHeaderBytes)
	if err != nil {
		return err
	}
	if head == nil {
		bad("index", at, "the volume ends early", nil)
		return nil
	}
	size := binary.LittleEndian.Uint64(head[24:])
	if size > maxIndexBody {
		bad("index", payload, "size is out of range", nil)
		return nil
	}
	body, err := k.in.take(ctx, int64(size))
	if err != nil {
		return err
	}
	packed := append(head, body...)
	x, err := DecodeIndex(packed)
	crc := crc32.ChecksumIEEE(packed)
	switch {
	case body == nil:
		bad("index", payload, "the volume ends early", nil)
		return nil
	case err != nil:
		bad("index", payload, "", err)
		crc = binary.LittleEndian.Uint32(local[14:])
	case !bytes.Equal(encodeBody(x), encodeBody(k.v.Index)):
		bad("index", payload, "is not the one that this volume is read by", nil)
	}
	if !bytes.Equal(local, appendLocal(nil, indexName, int64(len(packed)), crc)) {
		bad("local header of "+indexName, at, "", nil)
	}
	central = appendCentral(central, indexName, int64(len(packed)), crc, at)
	at = k.in.pos
	want := appendEnd(central, n+1, at, int64(len(central)))
	got, err := k.in.take(ctx, int64(len(want)))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		bad("central directory", at, "", nil)
	} else if k.v.Size > 0 && k.in.pos != k.v.Size {
		bad("volume", k.in.pos, fmt.Sprintf("%d bytes follow its end", k.v.Size-k.in.pos), nil)
	}
	return nil
}

// stretches compares the digests of stretches; one that holds damage which was already found says nothing new.
func (k *check) stretches(got []Digest) {
	want := k.v.Index.Digests
	if len(got) != len(want) {
		k.add(&DamagedError{Part: "list of stretches", Frame: -1, Offset: -1, What: fmt.Sprintf("%d digests, the volume has %d stretches", len(want), len(got))}, -1)
		return
	}
	for i := range got {
		start, known := int64(i)*DigestBytes, false
		for _, p := range k.places {
			known = known || p >= start-DigestBytes && p < start+DigestBytes
		}
		if got[i] != want[i] && !known {
			k.add(&DamagedError{Part: fmt.Sprintf("stretch %d", i), Frame: -1, Offset: start, What: "SHA-256 differs"}, start)
		}
	}
}

// blockCopies checks the copies of the header blocks in the hot bundle.
func (k *check) blockCopies(ctx context.Context) error {
	if k.v.copies == nil {
		return nil
	}
	for i, b := range k.v.Index.Blocks {
		p, err := k.v.copies(ctx, i)
		if err != nil && !damaged(err) {
			return err
		}
		if err == nil && sha256.Sum256(p) != b.SHA256 {
			err = errors.New("SHA-256 differs")
		}
		if err != nil {
			k.add(&DamagedError{Part: fmt.Sprintf("copy of header block %d", i), Frame: -1, Offset: -1, Err: err}, -1)
		}
	}
	return nil
}

// sequence reads an object front to back.
type sequence struct {
	r       Ranger
	v       *Volume
	pos     int64
	buf     []byte // bytes from pos on
	ended   bool   // the object has no bytes after buf
	stretch *stretches
}

// fill makes sure that buf has bytes, unless the object ended. An object that ends inside the range is read as far as it goes.
func (s *sequence) fill(ctx context.Context, want int64) error {
	for n := max(min(want, readBytes), 1); len(s.buf) == 0 && !s.ended; {
		p, err := readRange(ctx, s.r, s.pos, n)
		switch {
		case err == nil:
			s.buf = p
		case !damaged(err):
			return err
		case n == 1:
			s.ended = true
		default:
			n /= 2
		}
	}
	return nil
}

// copy feeds the next n bytes to the hashes and reports whether there were that many.
func (s *sequence) copy(ctx context.Context, n int64, to ...io.Writer) (bool, error) {
	for n > 0 {
		if err := s.fill(ctx, s.ahead(n)); err != nil {
			return false, err
		}
		if len(s.buf) == 0 {
			s.pos += n // where the bytes would have been
			return false, nil
		}
		p := s.buf[:min(n, int64(len(s.buf)))]
		for _, h := range to {
			h.Write(p)
		}
		if s.stretch != nil {
			s.stretch.write(p)
		}
		s.buf = s.buf[len(p):]
		s.pos += int64(len(p))
		n -= int64(len(p))
	}
	return true, nil
}

// ahead is how many bytes it is sensible to ask for when n are wanted: up to the end of the payloads, if that is known to be further.
func (s *sequence) ahead(n int64) int64 {
	if end := s.v.Size; end > s.pos {
		return end - s.pos
	}
	return max(n, s.v.Index.dataEnd()-s.pos)
}

// take returns the next n bytes, nil if the object ends before.
func (s *sequence) take(ctx context.Context, n int64) ([]byte, error) {
	k := &keep{}
	whole, err := s.copy(ctx, n, k)
	if err != nil || !whole {
		return nil, err
	}
	return k.b[:len(k.b):len(k.b)], nil
}

// keep is an io.Writer that keeps the bytes.
type keep struct{ b []byte }

func (k *keep) Write(p []byte) (int, error) { k.b = append(k.b, p...); return len(p), nil }
