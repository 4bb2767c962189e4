package storetest

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// The suite's source of bytes must not depend on how it is read, or comparisons would mean nothing.
func TestPatternIsTheSameHoweverRead(t *testing.T) {
	want := PatternBytes(4, 10_001)
	one, err := io.ReadAll(iotest.OneByteReader(Pattern(4, 10_001)))
	if err != nil || !bytes.Equal(one, want) {
		t.Errorf("read byte by byte: got %d bytes, SHA-256 %s, %v, want %d, %s", len(one), short(one), err, len(want), short(want))
	}
	half, err := io.ReadAll(iotest.HalfReader(Pattern(4, 10_001)))
	if err != nil || !bytes.Equal(half, want) {
		t.Errorf("read by halves: got %d bytes, SHA-256 %s, %v, want %d, %s", len(half), short(half), err, len(want), short(want))
	}
	if bytes.Equal(PatternBytes(5, 100), want[:100]) {
		t.Error("two seeds have the same bytes")
	}
}
