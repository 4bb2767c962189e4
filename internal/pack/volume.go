package pack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
)

// Volume reads one volume. It is safe for concurrent use; each goroutine brings its own Decoders.
//
// Whatever it returns was checked against the SHA-256 in the index. Stored
// bytes that differ are a *DamagedError that names the instance and frame; a
// failure to read them is the Ranger's own error.
type Volume struct {
	Index *Index
	Size  int64 // of the object in bytes, 0 if not known

	r      Ranger
	copies func(ctx context.Context, i int) ([]byte, error)
	parts  []partOf

	mu     sync.Mutex
	recent [2]blockBytes // the last blocks that were decompressed, newest first
}

type blockBytes struct {
	block int
	bytes []byte // nil: empty
}

// NewVolume reads a volume by an index that came from elsewhere, as a rule
// the hot bundle. blocks, which may be nil, returns header block i, compressed, from there;
// the volume's own copy is read if that fails or is damaged.
func NewVolume(x *Index, r Ranger, blocks func(ctx context.Context, i int) ([]byte, error)) *Volume {
	return &Volume{Index: x, r: r, copies: blocks, parts: x.parts()}
}

// instance returns instance i or an error that says how many there are.
func (v *Volume) instance(i int) (*Instance, error) {
	if i < 0 || i >= len(v.Index.Instances) {
		return nil, fmt.Errorf("pack: no instance %d in a volume of %d", i, len(v.Index.Instances))
	}
	return &v.Index.Instances[i], nil
}

func (v *Volume) frame(i, f int) (*Instance, *Frame, error) {
	inst, err := v.instance(i)
	if err != nil {
		return nil, nil, err
	}
	if f < 0 || f >= len(inst.Frames) {
		return nil, nil, fmt.Errorf("pack: no frame %d in an instance of %d (%q)", f, len(inst.Frames), inst.SOPUID)
	}
	return inst, &inst.Frames[f], nil
}

// Header returns the header bytes of instance i: everything of the received
// file that is neither frame nor long value, in order. The caller may not change them.
func (v *Volume) Header(ctx context.Context, i int) ([]byte, error) {
	inst, err := v.instance(i)
	if err != nil {
		return nil, err
	}
	h := inst.Header
	raw, err := v.rawBlock(ctx, h.Block)
	if err != nil {
		var d *DamagedError
		if errors.As(err, &d) {
			err = &DamagedError{Part: "header", SOPUID: inst.SOPUID, Frame: -1, Offset: -1, Err: err}
		}
		return nil, err
	}
	return raw[h.Offset : h.Offset+h.Size : h.Offset+h.Size], nil
}

// rawBlock returns header block b, decompressed.
func (v *Volume) rawBlock(ctx context.Context, b int) ([]byte, error) {
	v.mu.Lock()
	for i, c := range v.recent {
		if c.bytes != nil && c.block == b {
			v.recent[0], v.recent[i] = c, v.recent[0]
			v.mu.Unlock()
			return c.bytes, nil
		}
	}
	v.mu.Unlock()
	packed, err := v.packedBlock(ctx, b)
	if err != nil {
		return nil, err
	}
	rec := v.Index.Blocks[b]
	raw, err := DecompressZstd(make([]byte, 0, 1), packed, rec.RawSize)
	if err == nil && int64(len(raw)) != rec.RawSize {
		err = &MalformedError{fmt.Sprintf("content of %d bytes, the index says %d", len(raw), rec.RawSize), -1}
	}
	if err != nil {
		return nil, v.blockDamage(b, err)
	}
	v.mu.Lock()
	v.recent[1], v.recent[0] = v.recent[0], blockBytes{b, raw}
	v.mu.Unlock()
	return raw, nil
}

// Block returns header block b as it is stored (a zstd frame), checked: what a hot bundle copies.
func (v *Volume) Block(ctx context.Context, b int) ([]byte, error) {
	if b < 0 || b >= len(v.Index.Blocks) {
		return nil, fmt.Errorf("pack: no header block %d in a volume of %d", b, len(v.Index.Blocks))
	}
	return v.packedBlock(ctx, b)
}

// packedBlock returns header block b as stored, from the hot bundle or, failing that, from the volume.
func (v *Volume) packedBlock(ctx context.Context, b int) ([]byte, error) {
	rec := v.Index.Blocks[b]
	var first error
	if v.copies != nil {
		p, err := v.copies(ctx, b)
		if err == nil && sha256.Sum256(p) == rec.SHA256 {
			return p, nil
		}
		if first = err; err == nil {
			first = &DamagedError{Part: fmt.Sprintf("copy of header block %d", b), Frame: -1, Offset: -1, What: "SHA-256 differs"}
		}
	}
	p, err := readRange(ctx, v.r, rec.Offset, rec.Size)
	if err == nil && sha256.Sum256(p) != rec.SHA256 {
		err = v.blockDamage(b, errors.New("SHA-256 differs"))
	}
	if err != nil {
		return nil, errors.Join(err, first)
	}
	return p, nil
}

func (v *Volume) blockDamage(b int, err error) error {
	return &DamagedError{Part: fmt.Sprintf("header block %d", b), Frame: -1, Offset: v.Index.Blocks[b].Offset, Err: err}
}

// FrameBytes returns frame f of instance i as it is stored, with its record, in one request.
func (v *Volume) FrameBytes(ctx context.Context, i, f int) ([]byte, Entry, error) {
	_, fr, err := v.frame(i, f)
	if err != nil {
		return nil, Entry{}, err
	}
	e := v.Index.Entries[fr.Entry]
	p, err := readRange(ctx, v.r, e.Offset, e.Size)
	if err == nil {
		err = v.checkEntry(fr.Entry, p)
	}
	if err != nil {
		return nil, Entry{}, v.named(fr.Entry, err)
	}
	return p, e, nil
}

// checkEntry compares the bytes of an entry with its digest.
func (v *Volume) checkEntry(e int, p []byte) error {
	if sha256.Sum256(p) == v.Index.Entries[e].SHA256 {
		return nil
	}
	return v.entryDamage(e, errors.New("SHA-256 differs"))
}

func (v *Volume) entryDamage(e int, err error) error {
	d := &DamagedError{Part: "entry", Frame: -1, Offset: v.Index.Entries[e].Offset, Err: err}
	if p := v.parts[e]; p.instance >= 0 {
		d.Part, d.Frame, d.SOPUID = p.kind(), p.frame, v.Index.Instances[p.instance].SOPUID
	}
	return d
}

// named gives damage of the object, which the Ranger noticed, the name of the entry that was read.
func (v *Volume) named(e int, err error) error {
	var d *DamagedError
	if errors.As(err, &d) && d.SOPUID == "" {
		return v.entryDamage(e, err)
	}
	return err
}

// Frame returns frame f of instance i as it was received, in one request: the
// native bytes, or the fragments of a frame that was kept as received; of a
// transcoded source the native frame in little endian words, samples side by side. dst is used if it is large enough.
func (v *Volume) Frame(ctx context.Context, dec *Decoders, i, f int, dst []byte) ([]byte, error) {
	inst, fr, err := v.frame(i, f)
	if err != nil {
		return nil, err
	}
	w := window{v: v, list: entriesOf(fr)}
	return v.rebuildFrame(ctx, dec, &w, inst, f, dst)
}

// entriesOf lists the entries of a frame.
func entriesOf(fr *Frame) []int {
	if fr.Residue >= 0 {
		return []int{fr.Entry, fr.Residue}
	}
	return []int{fr.Entry}
}

// rebuildFrame reads a frame through a window, rebuilds it and checks its samples.
func (v *Volume) rebuildFrame(ctx context.Context, dec *Decoders, w *window, inst *Instance, f int, dst []byte) ([]byte, error) {
	fr := &inst.Frames[f]
	e := v.Index.Entries[fr.Entry]
	payload, err := w.entry(ctx, fr.Entry)
	if err != nil {
		return nil, err
	}
	var residue []byte
	if fr.Residue >= 0 {
		if residue, err = w.entry(ctx, fr.Residue); err != nil {
			return nil, err
		}
	}
	if dst, err = grow(dst, e.RawSize); err != nil {
		return nil, v.entryDamage(fr.Entry, err)
	}
	out, err := RebuildFrame(ctx, dec, inst.Image, fr.SignFill, e.Coding, payload, residue, dst)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var lacks *UnsupportedError
		if errors.As(err, &lacks) {
			return nil, err
		}
		return nil, v.entryDamage(fr.Entry, err)
	}
	if fr.SampleSHA256 != (Digest{}) && hasSamples(inst, e) && SampleDigest(inst.Image, out) != fr.SampleSHA256 {
		return nil, v.entryDamage(fr.Entry, errors.New("SHA-256 of the samples differs"))
	}
	return out, nil
}

// hasSamples reports whether a rebuilt frame is native words. It is not if
// fragments of an encapsulated source were kept, whose samples were decoded only to know their digest.
func hasSamples(inst *Instance, e Entry) bool {
	return inst.Image != nil && (e.Coding != CodingBytes || inst.Stored != inst.Syntax || isNative(inst.Syntax))
}

// isNative reports whether pixel data of a transfer syntax is native (PS3.5 A.1, A.2, A.3, A.5), GE's private big endian one included.
func isNative(syntax string) bool {
	switch syntax {
	case "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.113619.5.2":
		return true
	}
	return false
}

// maxRaw bounds what one frame or value may take in memory, whatever an index says.
const maxRaw = 16 << 30

// grow returns n bytes, of dst if it has them. A raw size that no frame has is an error before it is an allocation.
func grow(dst []byte, n int64) ([]byte, error) {
	if n <= int64(cap(dst)) {
		return dst[:n], nil
	}
	if n > maxRaw {
		return nil, &LimitError{"bytes of a frame", n, maxRaw}
	}
	return make([]byte, n), nil
}
