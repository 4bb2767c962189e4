package wavelet

import (
	"math"
	"testing"
)

// TestTaps97 holds the lifting parameters against the filters that they must
// make together: those of Cohen, Daubechies and Feauveau with 9 and 7 taps,
// normalised so that the low-pass filter leaves a constant as it is and the
// high-pass filter doubles what alternates. The reference computes with the
// same parameters as the code, so it would not notice a wrong one.
func TestTaps97(t *testing.T) {
	low := []float64{0.6029490182363579, 0.2668641184428723, -0.07822326652898785, -0.01686411844287495, 0.02674875741080976}
	high := []float64{1.115087052456994, -0.5912717631142470, -0.05754352622849957, 0.09127176311424948}
	const n, centre = 40, 20
	for at := centre - 5; at <= centre+6; at++ { // where the impulse is
		x := make([]float64, n)
		x[at] = 1
		forward97(x, 0)
		for i, taps := range [][]float64{low, high} {
			want := 0.0
			if d := max(at-centre-i, centre+i-at); d < len(taps) {
				want = taps[d]
			}
			if got := x[centre+i]; math.Abs(got-want) > 1e-9 {
				t.Errorf("impulse at %d: got %.12f at %d, want %.12f", at, got, centre+i, want)
			}
		}
	}
}
