package dcm_test

import (
	"bytes"
	"fmt"
	"io"

	"github.com/radtier/radtier/internal/dcm"
)

// A small image is built, scanned, split, and written in another transfer syntax.
func Example() {
	file, err := dcm.NewBuilder().
		Text(0x00080016, "1.2.840.10008.5.1.4.1.1.7").
		Text(0x00080018, "2.25.1").
		Text(0x0020000D, "2.25.2").
		Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").
		Ints(0x00280010, 2).Ints(0x00280011, 2).
		Ints(0x00280100, 8).Ints(0x00280101, 8).Ints(0x00280102, 7).Ints(0x00280103, 0).
		Native([]byte{10, 20, 30, 40}).
		File("1.2.840.10008.1.2")
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := dcm.Scan(dcm.Bytes(file), int64(len(file)), dcm.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range f.Pieces(64 << 10) {
		fmt.Println(p.Kind, p.Length)
	}
	var out bytes.Buffer
	err = dcm.Rewrite(&out, dcm.Bytes(file), f, dcm.Target{
		Syntax: "1.2.840.10008.1.2.4.80", Encapsulated: true,
		Frame: func(i int, w io.Writer) error { _, err := w.Write([]byte{0xFF, 0xD8, 0xFF, 0xD9}); return err },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := dcm.Scan(dcm.Bytes(out.Bytes()), int64(out.Len()), dcm.Limits{})
	fmt.Println(g.StudyUID, g.Pixel.VR, g.FrameRanges(0)[0].Length, err)
	// Output:
	// header 462
	// frame 4
	// 2.25.2 OB 4 <nil>
}
