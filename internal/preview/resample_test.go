package preview

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs"
)

func TestShrinkByHand(t *testing.T) {
	pix := []byte{10, 11, 200, 12, 13, 100, 1, 2, 3}
	for _, row := range []struct {
		method Method
		signed bool
		want   [4]byte
	}{
		{Averaged, false, [4]byte{12, 150, 2, 3}}, // 46/4 = 11.5 up, (200+100)/2, (1+2)/2 = 1.5 up, 3
		{Averaged, true, [4]byte{12, 22, 2, 3}},   // (-56+100)/2
		{Picked, false, [4]byte{13, 100, 2, 3}},
	} {
		v := codecs.Interleaved(pix, 3, 3, 1, 8, 8, row.signed)
		got, err := Shrink(v, 2, row.method)
		if err != nil || got.Width != 2 || got.Height != 2 || [4]byte(got.Pix) != row.want {
			t.Errorf("%v, signed %v: got %v, %d x %d, %v; want %v", row.method, row.signed, got.Pix, got.Width, got.Height, err, row.want)
		}
	}
	if _, err := Shrink(codecs.Interleaved(pix, 4, 3, 1, 8, 8, false), 2, Averaged); err == nil {
		t.Error("Shrink of a view longer than its bytes: got no error")
	}
}

// TestShrinkAgainstFloats: every layout gives the rounded mean of the boxes.
func TestShrinkAgainstFloats(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		w, h, n := 1+r.IntN(40), 1+r.IntN(40), []int{1, 3}[r.IntN(2)]
		container := []int{8, 16}[r.IntN(2)]
		bits, signed, k := 1+r.IntN(container), r.IntN(2) == 1, 1+r.IntN(9)
		pix := make([]byte, w*h*n*container/8)
		for i := range pix {
			pix[i] = byte(r.Uint32())
		}
		layout := codecs.Interleaved
		if r.IntN(2) == 1 {
			layout = codecs.Planar
		}
		v := layout(pix, w, h, n, container, bits, signed)
		v.BigEndian = container == 16 && r.IntN(2) == 1
		got, err := Shrink(v, k, Averaged)
		if err != nil {
			t.Fatal(err)
		}
		picked, err := Shrink(v, k, Picked)
		if err != nil {
			t.Fatal(err)
		}
		for c := range n {
			for y := range got.Height {
				for x := range got.Width {
					sum, count, seen := 0.0, 0.0, map[int64]bool{}
					for yy := y * k; yy < min(y*k+k, h); yy++ {
						for xx := x * k; xx < min(x*k+k, w); xx++ {
							s := valueOf(v, c, xx, yy)
							sum, count, seen[s] = sum+float64(s), count+1, true
						}
					}
					if a, b := valueOf(got, c, x, y), int64(math.Floor(sum/count+0.5)); a != b {
						t.Fatalf("%+v by %d: sample %d, %d, %d: got %d, want %d", v, k, c, x, y, a, b)
					}
					if a := valueOf(picked, c, x, y); !seen[a] {
						t.Fatalf("%+v by %d: picked %d, which is not in the box", v, k, a)
					}
				}
			}
		}
	}
}

// valueOf reads a sample another way than the package does.
func valueOf(v codecs.View, c, x, y int) int64 {
	at := c*v.PlaneStride + y*v.RowStride + x*v.PixelStride
	word := int64(v.Pix[at])
	if v.Container == 16 {
		order := binary.ByteOrder(binary.LittleEndian)
		if v.BigEndian {
			order = binary.BigEndian
		}
		word = int64(order.Uint16(v.Pix[at:]))
	}
	word &= 1<<v.Bits - 1
	if v.Signed && word >= 1<<(v.Bits-1) {
		word -= 1 << v.Bits
	}
	return word
}
