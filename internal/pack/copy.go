package pack

import "context"

// Copy writes instance i of a volume to this one as it is stored, frame by frame and without decoding: every part is checked
// against its digest on the way. It holds one header, one frame with its residue, and up to 8 MiB of stored bytes.
func (w *Writer) Copy(ctx context.Context, v *Volume, i int) error {
	inst, err := v.instance(i)
	if err != nil {
		return err
	}
	header, err := v.Header(ctx, i)
	if err != nil {
		return err
	}
	if err := w.Begin(); err != nil {
		return err
	}
	in := window{v: v, list: allEntries(inst)}
	for f := range inst.Frames {
		fr := &inst.Frames[f]
		var residue []byte
		if fr.Residue >= 0 {
			p, err := in.entry(ctx, fr.Residue)
			if err != nil {
				return w.fail(err)
			}
			residue = append(residue, p...) // the window moves on
		}
		data, err := in.entry(ctx, fr.Entry)
		if err != nil {
			return w.fail(err)
		}
		e := v.Index.Entries[fr.Entry]
		if _, err := w.AddFrame(FrameData{Data: data, Coding: e.Coding, RawSize: e.RawSize, LevelEnds: e.LevelEnds, Residue: residue, SignFill: fr.SignFill, SampleSHA256: fr.SampleSHA256}); err != nil {
			return err
		}
	}
	meta := *inst
	meta.Header, meta.Frames = HeaderRange{}, nil
	meta.Segments = append([]Segment(nil), inst.Segments...)
	values := map[int]int{}
	for k := range meta.Segments {
		s := &meta.Segments[k]
		if s.Kind != SegmentEntry {
			continue
		}
		ref, done := values[s.Ref]
		if !done {
			data, err := in.entry(ctx, s.Ref)
			if err != nil {
				return w.fail(err)
			}
			e := v.Index.Entries[s.Ref]
			if ref, err = w.AddValue(data, e.RawSize, e.Coding); err != nil {
				return err
			}
			values[s.Ref] = ref
		}
		s.Ref = ref
	}
	return w.End(meta, header)
}
