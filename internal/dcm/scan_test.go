package dcm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// explicit returns one explicit little endian element; long VRs get a 32-bit length.
func explicit(tag uint32, vr string, length uint32, value string) string {
	x := encoder{enc: Encoding{Explicit: true}}
	x.header(tag, VR{vr[0], vr[1]}, length)
	return string(x.b) + value
}

func implicit(tag, length uint32, value string) string {
	x := encoder{}
	x.header(tag, VR{}, length)
	return string(x.b) + value
}

// part10 puts a data set behind a preamble and a meta group that only names the syntax.
func part10(syntax, body string) []byte {
	if len(syntax)%2 == 1 {
		syntax += "\x00"
	}
	return []byte(strings.Repeat("\x00", 128) + "DICM" + explicit(0x00020010, "UI", uint32(len(syntax)), syntax) + body)
}

func nest(depth int) string {
	return strings.Repeat(explicit(0x00081140, "SQ", undefinedLength, "")+implicit(tagItem, undefinedLength, ""), depth)
}

func TestScanRefusals(t *testing.T) {
	head := explicit(0x00080060, "CS", 2, "CT")
	pixels := func(length uint32, value string) string { return explicit(0x7FE00010, "OW", length, value) }
	for _, c := range []struct {
		name string
		data []byte
		lim  Limits
		want string
	}{
		{"empty input", nil, Limits{}, "not DICOM"},
		{"a text", []byte("# Read me\nThis is not an image, it only lies beside some.\n"), Limits{}, "not DICOM"},
		{"zeros", make([]byte, 1000), Limits{}, "not DICOM"},
		{"a text with the letters at 128", []byte(strings.Repeat("x", 128) + "DICM and more text follows"), Limits{}, "malformed"},
		{"prefix without anything", []byte(strings.Repeat("\x00", 128) + "DICM"), Limits{}, "ok"},
		{"bare data set", []byte(head + explicit(0x00100020, "LO", 2, "ID")), Limits{}, "ok"},
		{"value past the end", part10(explicitLE, explicit(0x00080060, "CS", 20, "CT")), Limits{}, "malformed"},
		{"3 GB of pixel data", part10(explicitLE, head+pixels(3<<30, "xx")), Limits{}, "malformed"},
		{"pixel data cut by one byte", part10(explicitLE, head+pixels(4, "abc")), Limits{}, "malformed"},
		{"header cut off", part10(explicitLE, head+"\x10\x00\x10\x00PN"), Limits{}, "malformed"},
		{"fragment past the end", part10("1.2.840.10008.1.2.4.80", head+pixels(undefinedLength, implicit(tagItem, 0, "")+implicit(tagItem, 99, "x"))), Limits{}, "malformed"},
		{"element among fragments", part10("1.2.840.10008.1.2.4.80", head+pixels(undefinedLength, implicit(tagItem, 0, "")+head)), Limits{}, "malformed"},
		{"fragment of undefined length", part10("1.2.840.10008.1.2.4.80", head+pixels(undefinedLength, implicit(tagItem, undefinedLength, ""))), Limits{}, "malformed"},
		{"item outside a sequence", part10(explicitLE, head+implicit(tagItem, 0, "")), Limits{}, "malformed"},
		{"32 sequences deep", part10(explicitLE, nest(32)), Limits{}, "ok"},
		{"33 sequences deep", part10(explicitLE, nest(33)), Limits{}, "limit"},
		{"a million sequences deep", part10(explicitLE, nest(1_000_000)), Limits{}, "limit"},
		{"too many elements", part10(explicitLE, strings.Repeat(head, 11)), Limits{MaxElements: 10}, "limit"},
		{"too many nested elements", part10(explicitLE, nest(1)+strings.Repeat(head, 100)), Limits{MaxNested: 50}, "limit"},
		{"too many header bytes", part10(explicitLE, strings.Repeat(explicit(0x00081030, "LO", 100, strings.Repeat("x", 100)), 11)), Limits{MaxHeaderBytes: 1000}, "limit"},
		{"too many fragments", part10("1.2.840.10008.1.2.4.80", head+pixels(undefinedLength, strings.Repeat(implicit(tagItem, 0, ""), 12))), Limits{MaxFragments: 10}, "limit"},
		{"deflate bomb", build(t, image(1).Raw(0x00091003, "OB", make([]byte, 1<<20)), deflatedLE), Limits{MaxInflate: 1 << 16}, "limit"},
		{"zeros behind the data set", part10(explicitLE, head+strings.Repeat("\x00", 100)), Limits{}, "ok"},
		{"junk behind pixel data", part10(explicitLE, head+pixels(2, "ab")+"junk junk junk"), Limits{}, "ok"},
		{"cut element behind pixel data", part10(explicitLE, head+pixels(2, "ab")+explicit(0xFFFCFFFC, "OB", 100, "x")), Limits{}, "malformed"},
	} {
		_, err := Scan(Bytes(c.data), int64(len(c.data)), c.lim)
		if got := outcome(err); got != c.want {
			t.Errorf("%s: got %s (%v), want %s; input %.200q", c.name, got, err, c.want, c.data)
		}
		_, again := Scan(bytes.NewReader(c.data), int64(len(c.data)), c.lim)
		if outcome(again) != outcome(err) {
			t.Errorf("%s: through a reader: got %v, want %v", c.name, again, err)
		}
	}
}

func TestScanReadsOddEncodings(t *testing.T) {
	sop := "1.2.840.10008.5.1.4.1.1.2\x00"
	text := func(enc func(tag uint32, vr string, value string) string) string {
		return enc(0x00080016, "UI", sop) + enc(0x00080060, "CS", "MR") + enc(0x00100020, "LO", "ID") + enc(0x0020000D, "UI", "1.23")
	}
	exp := func(tag uint32, vr, value string) string { return explicit(tag, vr, uint32(len(value)), value) }
	imp := func(tag uint32, _, value string) string { return implicit(tag, uint32(len(value)), value) }
	big := func(tag uint32, vr, value string) string {
		x := encoder{enc: Encoding{Explicit: true, BigEndian: true}}
		x.header(tag, VR{vr[0], vr[1]}, uint32(len(value)))
		return string(x.b) + value
	}
	for _, c := range []struct {
		name  string
		data  []byte
		enc   Encoding
		wrong bool
	}{
		{"implicit labelled explicit", part10(explicitLE, text(imp)), Encoding{}, true},
		{"explicit labelled implicit", part10(implicitLE, text(exp)), Encoding{Explicit: true}, true},
		{"big endian labelled little", part10(explicitLE, text(big)), Encoding{Explicit: true, BigEndian: true}, true},
		{"not deflated though labelled so", part10(deflatedLE, text(exp)), Encoding{Explicit: true}, true},
		{"bare implicit", []byte(text(imp)), Encoding{}, false},
		{"bare explicit", []byte(text(exp)), Encoding{Explicit: true}, false},
		{"bare big endian", []byte(text(big)), Encoding{Explicit: true, BigEndian: true}, false},
		{"meta group in implicit VR", []byte(strings.Repeat("\x00", 128) + "DICM" + imp(0x00020010, "", explicitLE+"\x00") + text(exp)), Encoding{Explicit: true}, false},
		{"no preamble", part10(explicitLE, text(exp))[132:], Encoding{Explicit: true}, false},
		{"wrong group length", []byte(strings.Repeat("\x00", 128) + "DICM" + exp(0x00020000, "UL", "\xff\xff\x00\x00") + string(part10(explicitLE, text(exp))[132:])), Encoding{Explicit: true}, false},
		{"unknown VR, long form", part10(explicitLE, exp(0x00080001, "ZZ", "abcd")+text(exp)), Encoding{Explicit: true}, false},
		{"placeholder VR, short form", part10(explicitLE, text(exp)+"\x20\x00\x10\x00??\x02\x00xy"+exp(0x00200011, "IS", "5 ")), Encoding{Explicit: true}, false},
		{"implicit element among explicit", part10(explicitLE, exp(0x00080005, "CS", "ISO_IR 100")+imp(0x00080008, "", "ORIGINAL")+text(exp)), Encoding{Explicit: true}, false},
		{"sequence without delimiters at the end", part10(explicitLE, text(exp)+explicit(0x00400275, "SQ", undefinedLength, implicit(tagItem, undefinedLength, text(exp)))), Encoding{Explicit: true}, false},
		{"UN with implicit items", part10(explicitLE, text(exp)+explicit(0x00400275, "UN", undefinedLength, implicit(tagItem, undefinedLength, text(imp)+implicit(tagItemEnd, 0, ""))+implicit(tagSequenceEnd, 0, ""))), Encoding{Explicit: true}, false},
		{"UN with explicit items", part10(explicitLE, text(exp)+explicit(0x00400275, "UN", undefinedLength, implicit(tagItem, undefinedLength, text(exp)+implicit(tagItemEnd, 0, ""))+implicit(tagSequenceEnd, 0, ""))), Encoding{Explicit: true}, false},
	} {
		f, err := Scan(Bytes(c.data), int64(len(c.data)), Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if f.Encoding != c.enc || f.Mislabelled != c.wrong {
			t.Errorf("%s: got %+v, mislabelled %v, want %+v, %v", c.name, f.Encoding, f.Mislabelled, c.enc, c.wrong)
		}
		if f.ClassUID != sop[:25] || f.Modality != "MR" || f.StudyUID != "1.23" {
			t.Errorf("%s: got class %q, modality %q, study %q", c.name, f.ClassUID, f.Modality, f.StudyUID)
		}
		var out bytes.Buffer
		if err := Rewrite(&out, Bytes(c.data), f, Target{Syntax: explicitLE}); err != nil {
			if _, ok := errors.AsType[*UnsupportedError](err); !ok {
				t.Errorf("%s: rewrite: %v", c.name, err)
			}
			continue
		}
		if err := CompareDatasets(Bytes(c.data), f, Bytes(out.Bytes()), mustScan(t, out.Bytes())); err != nil {
			t.Errorf("%s: after rewriting: %v", c.name, err)
		}
	}
}

func TestFramesOfFragments(t *testing.T) {
	soi, rest := []byte{0xFF, 0xD8, 0xFF, 0xF7}, []byte{1, 2, 3, 4}
	words := func(v ...uint64) []byte {
		var p []byte
		for _, x := range v {
			p = binary.LittleEndian.AppendUint64(p, x)
		}
		return p
	}
	for _, c := range []struct {
		name      string
		frames    int
		table     []uint32
		extended  []byte
		fragments [][]byte
		want      [][2]int
	}{
		{"one frame in three fragments", 1, nil, nil, [][]byte{soi, rest, rest}, [][2]int{{0, 3}}},
		{"as many fragments as frames", 2, nil, nil, [][]byte{rest, rest}, [][2]int{{0, 1}, {1, 2}}},
		{"basic offset table", 2, []uint32{0, 24}, nil, [][]byte{rest, rest, rest}, [][2]int{{0, 2}, {2, 3}}},
		{"extended offset table", 2, nil, words(0, 12), [][]byte{rest, rest, rest}, [][2]int{{0, 1}, {1, 3}}},
		{"wrong table, start markers", 2, []uint32{0, 23}, nil, [][]byte{soi, rest, soi}, [][2]int{{0, 2}, {2, 3}}},
		{"wrong table, equal counts", 2, []uint32{0, 7}, nil, [][]byte{rest, rest}, [][2]int{{0, 1}, {1, 2}}},
		{"table that does not rise", 2, []uint32{0, 0}, nil, [][]byte{soi, rest, soi}, [][2]int{{0, 2}, {2, 3}}},
		{"a fragment instead of the table", 1, nil, nil, [][]byte{}, nil},
		{"no way to tell", 2, nil, nil, [][]byte{rest, rest, rest}, nil},
		{"fewer markers than frames", 3, nil, nil, [][]byte{soi, rest, soi, rest}, nil},
		{"fewer fragments than frames", 1_000_000_000, nil, nil, [][]byte{soi}, nil},
	} {
		b := image(1).Ints(0x00280008, c.frames).Encapsulated(c.table, c.fragments...)
		if c.extended != nil {
			b.Raw(0x7FE00001, "OV", c.extended)
		}
		data := build(t, b, "1.2.840.10008.1.2.4.80")
		f := mustScan(t, data)
		if !slices.Equal(f.Pixel.Frames, c.want) || (f.Pixel.FrameProblem == "") != (c.want != nil) {
			t.Errorf("%s: got %v (%s), want %v", c.name, f.Pixel.Frames, f.Pixel.FrameProblem, c.want)
		}
		if len(f.Pixel.Fragments) != len(c.fragments) {
			t.Errorf("%s: got %d fragments, want %d", c.name, len(f.Pixel.Fragments), len(c.fragments))
		}
	}
}

// A delimiter's bytes inside a fragment are data.
func TestDelimiterInsideFragment(t *testing.T) {
	inside := []byte{0xFF, 0xD8, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0, 0xFF, 0xD9}
	f := mustScan(t, build(t, image(1).Encapsulated(nil, inside), "1.2.840.10008.1.2.4.80"))
	if len(f.Pixel.Fragments) != 1 || f.Pixel.Fragments[0].Length != int64(len(inside)) {
		t.Errorf("got fragments %v, want one of %d bytes", f.Pixel.Fragments, len(inside))
	}
}

func TestNativeFrameProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		b    *Builder
		size int64
		ok   bool
	}{
		{"as declared", image(3), 12, true},
		{"a billion frames", image(1).Ints(0x00280008, 1_000_000_000), 12, false},
		{"no rows", image(1).Ints(0x00280010, 0), 0, false},
		{"no bits", image(1).Ints(0x00280100, 0), 0, false},
		{"surplus", image(1).Native(make([]byte, 20)), 12, true},
		{"short", image(1).Native(make([]byte, 10)), 12, false},
		{"1 bit, not whole bytes", image(1).Ints(0x00280100, 1).Native([]byte{1, 0}), 0, true},
	} {
		f := mustScan(t, build(t, c.b, explicitLE))
		if f.FrameSize() != c.size || (f.Pixel.FrameProblem == "") != c.ok {
			t.Errorf("%s: frame size %d, problem %q; want %d, ok %v", c.name, f.FrameSize(), f.Pixel.FrameProblem, c.size, c.ok)
		}
	}
}

func TestSurplus(t *testing.T) {
	for size, want := range map[int]int64{12: 0, 13: 2, 14: 2, 20: 8, 10: 0} {
		f := mustScan(t, build(t, image(1).Native(make([]byte, size)), explicitLE))
		if got := f.Surplus(); got != want {
			t.Errorf("%d bytes for a frame of 12: got surplus %d, want %d", size, got, want)
		}
	}
}

// sparse fails on any read that starts in its bulk, and ends others there, as a view of stored headers does.
type sparse struct {
	data     []byte
	from, to int64
	read     int
}

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.from && off < s.to {
		return 0, errors.New("bulk was read")
	}
	end := int64(len(s.data))
	if off < s.from {
		end = s.from
	}
	n := copy(p, s.data[off:end])
	s.read += n
	if n < len(p) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

func TestScanLeavesBulkAlone(t *testing.T) {
	big := make([]byte, 8<<20)
	data := build(t, image(1).Ints(0x00280010, 2048).Ints(0x00280011, 2048).Native(big).Raw(0xFFFCFFFC, "OB", make([]byte, 100)), explicitLE)
	whole := mustScan(t, data)
	s := &sparse{data: data, from: whole.Pixel.ValueOffset, to: whole.Pixel.End}
	f, err := Scan(s, int64(len(data)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Find(0xFFFCFFFC) == nil || f.Pixel.Length != int64(len(big)) {
		t.Errorf("the element behind the bulk was not found")
	}
	if s.read > 16<<10 {
		t.Errorf("read %d bytes of headers that are less than 2 KiB", s.read)
	}
}

func TestOrder(t *testing.T) {
	at := func(number int, z float64) *File {
		return mustScan(t, build(t, image(1).Ints(0x00200013, number).Floats(0x00200032, 0, 0, z), explicitLE))
	}
	list := []*File{at(1, 3), at(1, -2), at(2, -9), at(1, 0.5)}
	slices.SortFunc(list, func(a, b *File) int { return a.Order().Compare(b.Order()) })
	var got []float64
	for _, f := range list {
		p, _ := f.Position()
		got = append(got, p)
	}
	if want := []float64{-2, 0.5, 3, -9}; !slices.Equal(got, want) {
		t.Errorf("got positions %v, want %v", got, want)
	}
}

func TestSplitText(t *testing.T) {
	for _, c := range []struct {
		name, text, charset string
		want                []string
	}{
		{"latin", `a\b`, "ISO_IR 100", []string{"a", "b"}},
		{"GB18030 with 5C as a second byte", "\x81\x5Cx\\y", "GB18030", []string{"\x81\x5Cx", "y"}},
		{"ISO 2022 kanji with 5C", "\x1B$B\x30\x5C\x1B(B\\z", `\ISO 2022 IR 87`, []string{"\x1B$B\x30\x5C\x1B(B", "z"}},
		{"ISO 2022 Korean, high codes", "\x1B$)C\xB1\xE8\\z", `\ISO 2022 IR 149`, []string{"\x1B$)C\xB1\xE8", "z"}},
		{"cut character", "a\x81", "GB18030", []string{"a\x81"}},
		{"cut escape", "a\x1B$", `\ISO 2022 IR 87`, []string{"a\x1B$"}},
	} {
		if got := splitText(c.text, c.charset); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestSkipFragments: who only asks whose file it is reads no fragment, and still sees native pixel data that is cut off.
func TestSkipFragments(t *testing.T) {
	item := func(n int) []byte {
		return append([]byte{0xFE, 0xFF, 0x00, 0xE0, byte(n), 0, 0, 0}, make([]byte, n)...)
	}
	head, err := NewBuilder().Text(0x00080016, "1.2.840.10008.5.1.4.1.1.4").Text(0x00080018, "1.2.3.4.5").Text(0x0020000D, "1.2.3").Text(0x0020000E, "1.2.3.4").Ints(0x00280010, 4).Ints(0x00280011, 4).File("1.2.840.10008.1.2.5")
	if err != nil {
		t.Fatal(err)
	}
	raw := append(head, 0xE0, 0x7F, 0x10, 0, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF)
	raw = append(raw, item(0)...)
	raw = append(raw, item(64)...)
	raw = append(raw, "no item at all"...)
	if _, err := Scan(bytes.NewReader(raw), int64(len(raw)), Limits{}); err == nil {
		t.Error("broken fragments: got no error")
	}
	f, err := Scan(bytes.NewReader(raw), int64(len(raw)), Limits{SkipFragments: true})
	if err != nil || f.StudyUID != "1.2.3" || f.SeriesUID != "1.2.3.4" || f.Pixel != nil {
		t.Errorf("got %+v, %v; want the study and no pixel data", f, err)
	}
	native, err := NewBuilder().Text(0x00080016, "1.2.840.10008.5.1.4.1.1.4").Text(0x00080018, "1.2.3.4.5").Text(0x0020000D, "1.2.3").Ints(0x00280010, 4).Ints(0x00280011, 4).Native(make([]byte, 32)).File("1.2.840.10008.1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Scan(bytes.NewReader(native), int64(len(native))-8, Limits{SkipFragments: true}); err == nil {
		t.Error("native pixel data cut off: got no error")
	}
}
