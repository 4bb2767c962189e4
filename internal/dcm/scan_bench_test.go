package dcm

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

func BenchmarkScan(b *testing.B) {
	dir := testkit.Corpus(b)
	names, err := filepath.Glob(filepath.Join(dir, "series/ct-picker-headneck-90/*"))
	if err != nil || len(names) == 0 {
		b.Fatalf("no CT slices in the corpus: %v", err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		b.Fatal(err)
	}
	b.Run("memory", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Scan(Bytes(data), int64(len(data)), Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	f, err := Scan(Bytes(data), int64(len(data)), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("dataset", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadDataset(Bytes(data), f, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("rewrite", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if err := Rewrite(io.Discard, Bytes(data), f, Target{Syntax: explicitLE}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := CompareDatasets(Bytes(data), f, Bytes(data), f); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pieces", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Pieces(64 << 10)
		}
	})
	b.Run("reader", func(b *testing.B) {
		b.ReportAllocs()
		r := bytes.NewReader(data)
		for b.Loop() {
			if _, err := Scan(r, int64(len(data)), Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
