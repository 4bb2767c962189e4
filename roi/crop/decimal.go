package crop

import (
	"math/big"
	"strconv"
	"strings"
)

// Positions are computed with the decimal numbers that the source states, not
// with their nearest binary ones: the result has no noise of its own, and is the same on every machine.

var (
	decimalMost = big.NewRat(1_000_000_000, 1) // a kilometre: what is beyond is no position
	decimalFar  = big.NewRat(1, 1_000_000)     // 1e-6 mm
)

// decimal reads a Decimal String (PS3.5 6.2) exactly; ok is false for what is none, NaN and infinities, and for numbers out of all proportion.
func decimal(s string) (v *big.Rat, ok bool) {
	s = strings.Trim(s, " \x00")
	if len(s) == 0 || len(s) > 64 {
		return nil, false
	}
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(s[i+1:]); err != nil || exponent < -40 || exponent > 40 {
			return nil, false
		}
		mantissa = s[:i]
	}
	digits := false
	for i := range len(mantissa) {
		switch c := mantissa[i]; {
		case c >= '0' && c <= '9':
			digits = true
		case c == '.', i == 0 && (c == '+' || c == '-'):
		default:
			return nil, false
		}
	}
	if !digits {
		return nil, false
	}
	v, ok = new(big.Rat).SetString(mantissa)
	if !ok {
		return nil, false
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil))
	if exponent < 0 {
		scale.Inv(scale)
	}
	v.Mul(v, scale)
	return v, new(big.Rat).Abs(v).Cmp(decimalMost) <= 0
}

// decimals reads n Decimal Strings.
func decimals(list []string, n int) ([]*big.Rat, bool) {
	if len(list) != n {
		return nil, false
	}
	out := make([]*big.Rat, n)
	for i, s := range list {
		v, ok := decimal(s)
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// decimalString is the longest Decimal String of up to 16 characters for v,
// without zeros at its end; ok is false if it would be more than 1e-6 off.
func decimalString(v *big.Rat) (s string, ok bool) {
	for places := 14; places >= 0; places-- {
		s = v.FloatString(places)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		if s == "-0" {
			s = "0"
		}
		if len(s) <= 16 {
			break
		}
	}
	w, ok := new(big.Rat).SetString(s)
	if !ok || len(s) > 16 {
		return "", false
	}
	w.Sub(w, v)
	return s, w.Abs(w).Cmp(decimalFar) <= 0
}
