package worker

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
)

// small is a little image whose every trait a test can choose. Zero values have defaults.
type small struct {
	study, series, sop, patient, description string
	number, seed                             int
	rows, cols                               int
}

// bytes makes the Part 10 file.
func (s small) bytes(t testing.TB) []byte {
	t.Helper()
	if s.rows == 0 {
		s.rows, s.cols = 32, 40
	}
	r := rand.New(rand.NewPCG(uint64(s.seed), 7))
	pix := make([]byte, 2*s.rows*s.cols)
	for i := 0; i < len(pix); i += 2 {
		v := 1000 + i/2%s.cols + r.IntN(8)
		pix[i], pix[i+1] = byte(v), byte(v>>8)
	}
	b := dcm.NewBuilder().
		Text(0x00080016, "1.2.840.10008.5.1.4.1.1.4").Text(0x00080018, or(s.sop, "1.2.3.4.5")).Text(0x00080060, "MR").
		Text(0x00100020, or(s.patient, "P1")).Text(0x0008103E, or(s.description, "d")).
		Text(0x0020000D, or(s.study, "1.2.3")).Text(0x0020000E, or(s.series, "1.2.3.4")).Ints(0x00200013, s.number).
		Text(0x00280004, "MONOCHROME2").Ints(0x00280002, 1).Ints(0x00280010, s.rows).Ints(0x00280011, s.cols).
		Ints(0x00280100, 16).Ints(0x00280101, 12).Ints(0x00280102, 11).Ints(0x00280103, 0).Native(pix)
	raw, err := b.File("1.2.840.10008.1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// write puts files into a new folder and returns it.
func write(t testing.TB, files ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	for i, b := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%03d", i)), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
