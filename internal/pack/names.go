package pack

import "fmt"

const indexName = "index.rti"

func blockName(i int) string { return fmt.Sprintf("h%06d.zst", i) }

func frameName(instance, frame int, c Coding) string {
	return fmt.Sprintf("i%06df%06d.%s", instance, frame, c.ext())
}

func residueName(instance, frame int) string { return fmt.Sprintf("i%06df%06d.res", instance, frame) }

func valueName(instance, value int, c Coding) string {
	return fmt.Sprintf("i%06dv%06d.%s", instance, value, c.ext())
}

// codings is what is fixed for each Coding: the extension of its entries and the transfer syntax of its codestreams.
var codings = [...]struct{ name, ext, syntax string }{
	CodingBytes:  {"bytes", "bin", ""},
	CodingZstd:   {"zstd", "zst", ""},
	CodingJPEGLS: {"JPEG-LS", "jls", "1.2.840.10008.1.2.4.80"},
	CodingHTJ2K:  {"HTJ2K", "jhc", "1.2.840.10008.1.2.4.202"},
	CodingRLE:    {"RLE", "rle", "1.2.840.10008.1.2.5"},
}

func (c Coding) known() bool { return int(c) < len(codings) }

func (c Coding) String() string {
	if !c.known() {
		return fmt.Sprintf("coding %d", uint8(c))
	}
	return codings[c].name
}

// Syntax is the Transfer Syntax UID of a codestream of this coding, empty for CodingBytes and CodingZstd.
func (c Coding) Syntax() string {
	if !c.known() {
		return ""
	}
	return codings[c].syntax
}

// CodingOf is the coding of codestreams of a transfer syntax; ok is false if there is none.
func CodingOf(syntax string) (c Coding, ok bool) {
	for c := range codings {
		if syntax != "" && codings[c].syntax == syntax {
			return Coding(c), true
		}
	}
	return CodingBytes, false
}

func (c Coding) ext() string {
	if !c.known() {
		return "bin"
	}
	return codings[c].ext
}

// partOf says what an entry is: whose, and under which name it is stored.
type partOf struct {
	instance int // -1: nobody's
	frame    int // frame index, -1 for a value
	residue  bool
	name     string
}

func (p partOf) kind() string {
	switch {
	case p.residue:
		return "residue"
	case p.frame >= 0:
		return "frame"
	}
	return "value"
}

// parts tells for every entry of an index what it is.
func (x *Index) parts() []partOf {
	list := make([]partOf, len(x.Entries))
	for i := range list {
		list[i] = partOf{instance: -1, frame: -1}
	}
	for i := range x.Instances {
		inst := &x.Instances[i]
		for f, fr := range inst.Frames {
			list[fr.Entry] = partOf{i, f, false, frameName(i, f, x.Entries[fr.Entry].Coding)}
			if fr.Residue >= 0 {
				list[fr.Residue] = partOf{i, f, true, residueName(i, f)}
			}
		}
		for _, s := range inst.Segments {
			if s.Kind == SegmentEntry {
				list[s.Ref].instance = i
			}
		}
	}
	values := make(map[int]int) // entries that are values, so far, by instance
	for i, p := range list {
		if p.instance >= 0 && p.frame < 0 {
			list[i].name = valueName(p.instance, values[p.instance], x.Entries[i].Coding)
			values[p.instance]++
		}
	}
	return list
}
