package objstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestCheckKey(t *testing.T) {
	tests := []struct {
		key string
		ok  bool
	}{
		{"a", true},
		{"t/kn/s/0f/1.2.840=+_-.x/m/0000000001-j.1.json", true},
		{"..a/b..", true},
		{"...", true},
		{strings.Repeat("a", 200), true},
		{strings.Repeat("abcdefgh/", 99) + "abcdefghi", true},
		{"", false},
		{"/a", false},
		{"a/", false},
		{"a//b", false},
		{".", false},
		{"..", false},
		{"a/./b", false},
		{"a/../b", false},
		{"a b", false},
		{"a\\b", false},
		{"a~", false},
		{"a\x00b", false},
		{"é", false},
		{strings.Repeat("a", 201), false},
		{strings.Repeat("abcdefgh/", 100) + "a", false},
	}
	for _, tt := range tests {
		err := CheckKey(tt.key)
		if (err == nil) != tt.ok {
			t.Errorf("CheckKey(%q) = %v, want ok %v", tt.key, err, tt.ok)
		}
		var keyErr *KeyError
		if err != nil && !errors.As(err, &keyErr) {
			t.Errorf("CheckKey(%q) = %T, want *KeyError", tt.key, err)
		}
	}
}

func TestIsTransient(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"nil", nil, false},
		{"plain", errors.New("x"), false},
		{"not found", fmt.Errorf("head: %w", ErrNotFound), false},
		{"transient", &TransientError{Op: "put", Key: "k", Err: errors.New("503")}, true},
		{"transient, wrapped", fmt.Errorf("pack: %w", &TransientError{Op: "put", Key: "k", Err: errors.New("503")}), true},
		{"deadline", fmt.Errorf("get: %w", context.DeadlineExceeded), true},
		{"cancelled", fmt.Errorf("get: %w", context.Canceled), false},
		{"cancelled inside a transient", &TransientError{Op: "put", Key: "k", Err: context.Canceled}, false},
		{"i/o timeout", fmt.Errorf("read: %w", os.ErrDeadlineExceeded), true},
		{"errno timeout", &os.SyscallError{Syscall: "connect", Err: syscall.ETIMEDOUT}, true},
		{"errno that is none", &os.SyscallError{Syscall: "open", Err: syscall.EACCES}, false},
	}
	for _, tt := range tests {
		if got := IsTransient(tt.err); got != tt.want {
			t.Errorf("%s: IsTransient(%v) = %v, want %v", tt.name, tt.err, got, tt.want)
		}
	}
	cause := errors.New("cause")
	if !errors.Is(&TransientError{Err: cause}, cause) {
		t.Error("a *TransientError hides its cause")
	}
}

func TestCheckRange(t *testing.T) {
	tests := []struct {
		offset, length, size int64
		want                 int64
		ok                   bool
	}{
		{0, -1, 10, 10, true}, {0, 10, 10, 10, true}, {9, 1, 10, 1, true}, {9, -1, 10, 1, true},
		{4, 0, 10, 0, true}, {10, 0, 10, 0, true}, {10, -1, 10, 0, true}, {0, -1, 0, 0, true},
		{0, 11, 10, 0, false}, {10, 1, 10, 0, false}, {11, 0, 10, 0, false}, {11, -1, 10, 0, false},
		{-1, 1, 10, 0, false}, {0, -2, 10, 0, false}, {1, 1<<63 - 1, 10, 0, false},
	}
	for _, tt := range tests {
		got, err := CheckRange("k", tt.offset, tt.length, tt.size)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("CheckRange(%d, %d, size %d) = %d, %v, want %d, ok %v", tt.offset, tt.length, tt.size, got, err, tt.want, tt.ok)
		}
	}
}

// reply is a store that answers every Get with the same bytes, whatever was asked for.
type reply struct {
	data []byte
	info Info
}

func (r reply) Get(context.Context, string, int64, int64) (io.ReadCloser, Info, error) {
	return io.NopCloser(bytes.NewReader(r.data)), r.info, nil
}

func TestReadHelpersDistrustTheStore(t *testing.T) {
	ctx := t.Context()
	data := []byte("0123456789")
	sum := sha256.Sum256(data)
	var wrong [32]byte
	wrong[0] = 1
	tests := []struct {
		name  string
		store reply
		max   int64
		check func(error) bool
	}{
		{"whole, no checksum known", reply{data, Info{Size: 10}}, 10, func(err error) bool { return err == nil }},
		{"whole, right checksum", reply{data, Info{Size: 10, SHA256: sum}}, 10, func(err error) bool { return err == nil }},
		{"wrong checksum", reply{data, Info{Size: 10, SHA256: wrong}}, 10, func(err error) bool { var e *ChecksumError; return errors.As(err, &e) && e.Got == sum }},
		{"above the limit", reply{data, Info{Size: 10}}, 9, func(err error) bool { var e *LimitError; return errors.As(err, &e) && e.Size == 10 && e.Most == 9 }},
		{"cut", reply{data[:4], Info{Size: 10}}, 10, func(err error) bool { return IsTransient(err) && errors.Is(err, io.ErrUnexpectedEOF) }},
		{"too long", reply{data, Info{Size: 9}}, 10, IsTransient},
	}
	for _, tt := range tests {
		if got, err := ReadAll(ctx, tt.store, "k", tt.max); !tt.check(err) || (err == nil && !bytes.Equal(got, data)) {
			t.Errorf("ReadAll, %s: got %q, %v", tt.name, got, err)
		}
	}
	if got, err := ReadRange(ctx, reply{data[:3], Info{Size: 10}}, "k", 0, 3); err != nil || string(got) != "012" {
		t.Errorf("ReadRange: got %q, %v, want 012", got, err)
	}
	if _, err := ReadRange(ctx, reply{data, Info{Size: 10}}, "k", 2, 3); !IsTransient(err) {
		t.Errorf("ReadRange of a server that ignores ranges: got %v, want a transient error", err)
	}
	if _, err := ReadRange(ctx, reply{nil, Info{Size: 10}}, "k", 2, 3); !IsTransient(err) {
		t.Errorf("ReadRange cut to nothing: got %v, want a transient error", err)
	}
	var rangeErr *RangeError
	if _, err := ReadRange(ctx, reply{data, Info{Size: 10}}, "k", 2, -1); !errors.As(err, &rangeErr) {
		t.Errorf("ReadRange of -1 bytes: got %v, want *RangeError", err)
	}
}
