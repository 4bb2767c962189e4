package synth

import (
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
)

// TestValid has dciodvfy look at instances of every demo study, and dcentvfy at each study as a whole.
func TestValid(t *testing.T) {
	iod, ent := testkit.Tool(t, "dciodvfy"), testkit.Tool(t, "dcentvfy")
	for _, s := range Demo(Options{Seed: 7, Marker: "MARKER42", Scale: 0.1}) {
		t.Run(s.Name, func(t *testing.T) {
			dir := t.TempDir()
			if out := os.Getenv("RADTIER_SYNTH_OUT"); out != "" {
				dir = filepath.Join(out, s.Modality)
			}
			if _, _, err := s.WriteTo(dir); err != nil {
				t.Fatal(err)
			}
			var files []string
			for i := range s.Instances {
				files = append(files, filepath.Join(dir, s.Instances[i].FileName()))
			}
			for _, f := range []string{files[0], files[len(files)/2], files[len(files)-1]} {
				validate(t, iod, f)
			}
			if out, err := exec.Command(ent, files...).CombinedOutput(); err != nil || len(strings.TrimSpace(string(out))) > 0 {
				t.Errorf("dcentvfy: %v\n%s", err, out)
			}
		})
	}
}

// validate fails the test if dciodvfy finds an error or a warning.
func validate(t *testing.T, tool, file string) {
	t.Helper()
	out, err := exec.Command(tool, file).CombinedOutput()
	if err != nil {
		t.Errorf("dciodvfy: %v\n%s", err, out)
		return
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.HasPrefix(line, "Error") || strings.HasPrefix(line, "Warning") {
			t.Errorf("dciodvfy %s: %s", filepath.Base(file), line)
		}
	}
}

// TestMarker checks that the marker is in every element that names a person, and in no UID.
func TestMarker(t *testing.T) {
	const marker = "MARKER42"
	studies := append(Demo(Options{Marker: marker, Scale: 0.05}), ManyInstances(Options{Marker: marker}, 1))
	for _, s := range studies {
		data, err := s.Instances[0].Bytes()
		if err != nil {
			t.Fatal(err)
		}
		f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		ds, err := dcm.ReadDataset(dcm.Bytes(data), f, dcm.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range []uint32{
			0x00100010, 0x00100020, 0x00100021, 0x00101001, 0x00104000, // who the patient is
			0x00080050, 0x00200010, 0x00081030, // the visit
			0x00080080, 0x00080081, 0x00080090, 0x00081050, 0x00081070, // where and by whom
		} {
			if v := ds.String(tag); !strings.Contains(v, marker) {
				t.Errorf("%s: %s is %q, want it to have %s", s.Name, dcm.TagString(tag), v, marker)
			}
		}
	}
}

// TestGB18030 decodes the names that are written as bytes in the sources.
func TestGB18030(t *testing.T) {
	for _, s := range []struct {
		study Study
		want  string
	}{{CT(Options{Scale: 0.05}), "SYNTHETIC^CHEST CT=合成^影像甲"}, {Chest(Options{Scale: 0.05}), "SYNTHETIC^CHEST DX=合成^影像丙"}} {
		b, err := s.study.Instances[0].Bytes()
		if err != nil {
			t.Fatal(err)
		}
		text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b[:2048])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), s.want) {
			t.Errorf("%s: %q is not in the header", s.study.Name, s.want)
		}
	}
}

// TestLesion looks for the nodule in the slices that are said to show it, and for lung around it elsewhere.
func TestLesion(t *testing.T) {
	s := CT(Options{})
	if n := len(s.Lesion.SOPUIDs); n < 4 || n > 8 {
		t.Errorf("the lesion is on %d slices, expected 4 to 8", n)
	}
	for i := range s.Instances {
		shown := slices.Contains(s.Lesion.SOPUIDs, s.Instances[i].SOPUID)
		if i != 20 && !shown {
			continue
		}
		p := s.Instances[i].Frame(0)
		column, row := int(s.Lesion.Center[0]/0.75)+256, int(s.Lesion.Center[1]/0.75)+256
		sum := 0
		for y := row - 1; y <= row+1; y++ {
			for x := column - 1; x <= column+1; x++ {
				sum += int(int16(binary.LittleEndian.Uint16(p[2*(512*y+x):])))
			}
		}
		if mean := sum / 9; (mean > -200) != shown {
			t.Errorf("slice %d: mean of %d HU at the center of the lesion, shown: %v", i, mean, shown)
		}
	}
}

// BenchmarkDemo makes all demo studies, without writing them anywhere.
func BenchmarkDemo(b *testing.B) {
	for b.Loop() {
		var size int64
		for _, s := range Demo(Options{}) {
			for i := range s.Instances {
				n, err := s.Instances[i].WriteTo(io.Discard)
				if err != nil {
					b.Fatal(err)
				}
				size += n
			}
		}
		b.SetBytes(size)
	}
}
