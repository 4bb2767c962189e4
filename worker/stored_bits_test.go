package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/htj2k"
	"github.com/radtier/radtier/internal/dcm"
)

// A codestream with more bits than Bits Stored is kept, and given in Explicit VR Little Endian with all of them.
func TestMoreBitsThanStored(t *testing.T) {
	const side = 40
	pix := make([]byte, 2*side*side)
	for i := range side * side {
		binary.LittleEndian.PutUint16(pix[2*i:], uint16(i*40)) // to 63,960: beyond 12 bits
	}
	stream, _, err := htj2k.NewEncoder(htj2k.Options{}).Encode(nil, codecs.Interleaved(pix, side, side, 1, 16, 16, false), codecs.EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := dcm.NewBuilder().Text(0x00080016, "1.2.840.10008.5.1.4.1.1.7").Text(0x00080018, "1.2.3.4.1").Text(0x00080060, "OT").Text(0x0020000D, "1.2.3").Text(0x0020000E, "1.2.3.4").
		Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").Ints(0x00280010, side).Ints(0x00280011, side).Ints(0x00280100, 16).Ints(0x00280101, 12).Ints(0x00280102, 11).Ints(0x00280103, 0).
		Encapsulated(nil, stream)
	raw, err := b.File("1.2.840.10008.1.2.4.201")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	s := r.ingest("a", write(t, raw))[0]
	var out bytes.Buffer
	if err := s.WriteExplicitLE(context.Background(), s.NewDecoders(), s.Instances()[0], &out); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out.Bytes(), pix) {
		t.Error("the samples are not those of the codestream")
	}
}
