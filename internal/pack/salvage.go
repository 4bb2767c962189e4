package pack

import (
	"context"
	"errors"
	"io"
)

// Loss is what cannot be restored of one instance. Frames that are not listed can be read with Frame.
type Loss struct {
	Instance int
	Header   bool  // the header is lost, in all its copies
	Frames   []int // frames that are lost, ascending
	Err      error // what is damaged
}

// Salvage finds out what of a damaged volume cannot be restored. An instance
// that is not in the result was rebuilt and compared just now, so Rebuild gives it.
// The error is that of a store that fails, not damage.
func (v *Volume) Salvage(ctx context.Context, dec *Decoders) ([]Loss, error) {
	var losses []Loss
	for i := range v.Index.Instances {
		err := v.prove(ctx, dec, i)
		if err == nil {
			continue
		}
		if !damaged(err) {
			return losses, err
		}
		loss := Loss{Instance: i, Err: err}
		if _, err := v.Header(ctx, i); err != nil {
			if !damaged(err) {
				return losses, err
			}
			loss.Header = true
		}
		for f := range v.Index.Instances[i].Frames {
			if _, err := v.Frame(ctx, dec, i, f, nil); err != nil {
				if !damaged(err) {
					return losses, err
				}
				loss.Frames = append(loss.Frames, f)
			}
		}
		losses = append(losses, loss)
	}
	return losses, nil
}

// prove rebuilds an instance, or decodes its frames if its received file is not here, and drops the result.
func (v *Volume) prove(ctx context.Context, dec *Decoders, i int) error {
	err := v.Rebuild(ctx, dec, i, io.Discard)
	if !errors.Is(err, ErrNotExact) {
		return err
	}
	if _, err := v.Header(ctx, i); err != nil {
		return err
	}
	inst := &v.Index.Instances[i]
	in := window{v: v, list: allEntries(inst)}
	var buf []byte
	for f := range inst.Frames {
		if buf, err = v.rebuildFrame(ctx, dec, &in, inst, f, buf); err != nil {
			return err
		}
	}
	for _, s := range inst.Segments {
		if s.Kind == SegmentEntry {
			if buf, err = v.value(ctx, &in, s.Ref, buf); err != nil {
				return err
			}
		}
	}
	return nil
}
