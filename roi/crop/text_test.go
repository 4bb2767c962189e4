package crop

import (
	"math/big"
	"strings"
	"testing"
)

func TestDecimalString(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"0", "0"}, {"-0", "0"}, {"1/3", "0.33333333333333"}, {"-1/3", "-0.3333333333333"}, {"1000/3", "333.333333333333"}, {"-12345", "-12345"},
		{"1/1000000000000000", "0"}, {"-1/1000000000000000", "0"}, {"999999999/7", "142857142.714286"}, {"25/10", "2.5"}, {"-999999999999/1000", "-999999999.999"},
	} {
		v, _ := new(big.Rat).SetString(row.in)
		got, ok := decimalString(v)
		if got != row.want || !ok || len(got) > 16 {
			t.Errorf("%s: got %q, %v; want %q", row.in, got, ok, row.want)
		}
	}
	v, _ := new(big.Rat).SetString("12345678901234567890")
	if s, ok := decimalString(v); ok {
		t.Errorf("20 digits: got %q, want none", s)
	}
}

func TestDecimal(t *testing.T) {
	for _, row := range []struct {
		in, want string // "" for none
	}{
		{"1", "1"}, {" -1.50 ", "-3/2"}, {"+.5", "1/2"}, {"1e3", "1000"}, {"1E-3", "1/1000"}, {"5.", "5"}, {"1\x00", "1"},
		{"", ""}, {".", ""}, {"+", ""}, {"e5", ""}, {"1e", ""}, {"1e+", ""}, {"--1", ""}, {"1-1", ""}, {"1.2.3", ""}, {"nan", ""}, {"inf", ""}, {"1_000", ""}, {"0b1", ""}, {"1e41", ""}, {"1e10", ""},
		{strings.Repeat("1", 65), ""},
	} {
		v, ok := decimal(row.in)
		got := ""
		if ok {
			got = v.RatString()
		}
		if got != row.want {
			t.Errorf("%q: got %q, want %q", row.in, got, row.want)
		}
	}
}

// TestStart: text is cut between characters, and where ASCII is in force.
func TestStart(t *testing.T) {
	const japanese = "\x1b$BF|K\\\x1b(B" // two characters of two bytes
	for _, row := range []struct {
		name, in, charset string
		n                 int
		want              string
	}{
		{"short", "abc", "", 5, "abc"},
		{"long", "abcdef", "", 5, "abcde"},
		{"UTF-8", "肺部结节", "ISO_IR 192", 3, "肺部结"},
		{"broken UTF-8", "a\xE8\x82", "ISO_IR 192", 5, "a\xE8\x82"},
		{"GB18030", "\xB7\xCE\xB2\xBF\xBD\xE1", "GB18030", 2, "\xB7\xCE\xB2\xBF"},
		{"GB18030, second byte 5C", "\x81\x5C\x81\x5C", "GB18030", 1, "\x81\x5C"},
		{"GB18030 of four bytes", "\x81\x30\x81\x30a", "GB18030", 1, "\x81\x30\x81\x30"},
		{"GB18030, half a character at the end", "a\x81", "GB18030", 9, "a"},
		{"ISO 2022, whole", "x" + japanese, `\ISO 2022 IR 87`, 9, "x" + japanese},
		{"ISO 2022, no place for the return to ASCII", "x" + japanese + "yz", `\ISO 2022 IR 87`, 2, "x"},
		{"ISO 2022, return to ASCII fits", "x" + japanese + "yz", `\ISO 2022 IR 87`, 4, "x" + japanese + "y"},
		{"ISO 2022, never returns", "x" + japanese[:7], `\ISO 2022 IR 87`, 9, "x"},
		{"ISO 2022, escape cut off", "x\x1b", `\ISO 2022 IR 87`, 9, "x\x1b"},
		{"Korean in G1", "\x1b$)C\xB1\xE8x", `\ISO 2022 IR 149`, 2, "\x1b$)C\xB1\xE8x"},
		{"Korean in G1, cut", "\x1b$)C\xB1\xE8\xB1\xE8", `\ISO 2022 IR 149`, 1, "\x1b$)C\xB1\xE8"},
	} {
		if got := start(row.in, row.charset, row.n, len(row.in)); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// TestDescribed: the mark fits behind descriptions of any length.
func TestDescribed(t *testing.T) {
	for _, row := range []struct{ in, charset, want string }{
		{"", "", "[ROI]"},
		{"Thorax", "", "Thorax [ROI]"},
		{strings.Repeat("x", 64), "", strings.Repeat("x", 58) + " [ROI]"},
		{strings.Repeat("x", 99), "", strings.Repeat("x", 58) + " [ROI]"},
		{strings.Repeat("肺", 19), "ISO_IR 192", strings.Repeat("肺", 19) + " [ROI]"},
		{strings.Repeat("肺", 21), "ISO_IR 192", strings.Repeat("肺", 19) + " [ROI]"}, // 63 bytes became 63, not 69
		{strings.Repeat("肺", 40), "ISO_IR 192", strings.Repeat("肺", 40) + " [ROI]"}, // had more than 64 bytes before
		{strings.Repeat("肺", 64), "ISO_IR 192", strings.Repeat("肺", 58) + " [ROI]"},
	} {
		if got := described(row.in, row.charset); got != row.want {
			t.Errorf("%q: got %q, want %q", row.in, got, row.want)
		}
	}
}
