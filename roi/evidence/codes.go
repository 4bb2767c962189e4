package evidence

import (
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// canonical gives the SNOMED CT code of concepts that older objects name by SNOMED RT (PS3.16, Annex D and CP-1850), so that one
// comparison is enough. Only what rules depend on is here.
var canonical = map[string]string{
	"G-C0E3": "363698007", "M-01000": "49755003", "T-D0050": "85756007", "T-D000A": "123037004", "A-00004": "260787004", "R-42019": "246464006",
	"M-80003": "86049000", "M-80006": "14799000", "M-03010": "27925004", "R-00317": "363679005", "G-A185": "103339001", "G-A186": "103340004",
	"M-01100": "52988006", "M-36300": "79654002", "M-54000": "6574001", "M-33400": "367643001", "M-35300": "55584005", "F-04000": "4147007",
	"M-41610": "44132006", "M-37000": "50960005", "M-35060": "75753009", "R-00339": "260753009", "T-D0060": "91723000", "R-002C7": "276214006",
}

// designators of SNOMED RT and its predecessors.
func isSRT(scheme string) bool {
	return scheme == "SRT" || scheme == "SNM3" || scheme == "99SDM"
}

// norm returns a code with SNOMED RT replaced by SNOMED CT where it is known; of code and scheme alone, never of the meaning.
func (c Code) norm() Code {
	if isSRT(c.Scheme) {
		if v, ok := canonical[c.Value]; ok {
			return Code{v, "SCT"}
		}
	}
	return c
}

func (c Code) is(value, scheme string) bool { return c.norm() == Code{value, scheme} }

// codeOf reads a code sequence item (PS3.3 8.1): Code Value, Long Code Value or URN Code Value.
func codeOf(d *dcm.Dataset) Code {
	if d == nil {
		return Code{}
	}
	for _, tag := range []uint32{0x00080100, 0x00080119, 0x00080120} {
		if v := d.String(tag); v != "" {
			return Code{printable(v), printable(d.String(0x00080102))}
		}
	}
	return Code{}
}

// code reads the first item of a code sequence.
func code(d *dcm.Dataset, tag uint32) Code { return codeOf(first(d, tag)) }

func first(d *dcm.Dataset, tag uint32) *dcm.Dataset {
	if d == nil {
		return nil
	}
	if items := d.Items(tag); len(items) > 0 {
		return items[0]
	}
	return nil
}

// printable keeps codes short and free of anything that is none: a code must not carry text into a record.
func printable(s string) string {
	if len(s) > 64 {
		return "?"
	}
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return "?"
		}
	}
	return s
}

// private reports whether nobody but the maker knows what a code means: schemes that begin with 99 are private (PS3.16 8.2), codes
// without a scheme mean nothing.
func (c Code) private() bool {
	if c.Value == "" {
		return false
	}
	switch {
	case isSRT(c.Scheme):
		return false
	case len(c.Scheme) >= 2 && c.Scheme[:2] == "99", c.Scheme == "", c.Scheme == "CORNERSTONEJS":
		return true
	}
	return false
}

// lesions are codes of what is a lesion (PS3.16 CID 7159 and what tools write), as rule 1.7 lists them.
var lesions = map[Code]bool{
	{"44132006", "SCT"}: true, {"50960005", "SCT"}: true, {"75753009", "SCT"}: true, {"367643001", "SCT"}: true, {"79654002", "SCT"}: true,
	{"55584005", "SCT"}: true, {"52988006", "SCT"}: true, {"4147007", "SCT"}: true, {"6574001", "SCT"}: true, {"14799000", "SCT"}: true,
	{"372087000", "SCT"}: true, {"86049000", "SCT"}: true, {"27925004", "SCT"}: true, {"49755003", "SCT"}: true, {"108369006", "SCT"}: true,
	{"363346000", "SCT"}: true, {"399981008", "SCT"}: true, {"128462008", "SCT"}: true, {"21594007", "SCT"}: true, // malignant neoplasm, neoplasm, metastasis, hyperplastic polyp
	{"C113842", "NCIt"}: true, {"C81175", "NCIt"}: true, {"C3262", "NCIt"}: true,
}

// neutral are categories of what is positively no lesion: anatomical structures, tissue, physical objects, functions, spatial concepts.
var neutral = map[Code]bool{
	{"123037004", "SCT"}: true, {"91723000", "SCT"}: true, {"85756007", "SCT"}: true, {"260787004", "SCT"}: true, {"246464006", "SCT"}: true,
	{"309825002", "SCT"}: true, {"91720002", "SCT"}: true,
}

// speaks reports whether a code item, or a label, has a word of something abnormal. Meanings never decide that something is a lesion, and are never
// kept; they only keep what a code calls an organ from being taken for harmless.
func speaks(list ...string) bool {
	for _, s := range list {
		s = strings.ToLower(s)
		for _, w := range abnormalWords {
			if strings.Contains(s, w) {
				return true
			}
		}
	}
	return false
}

var abnormalWords = []string{"neoplas", "tumor", "tumour", "cancer", "carcin", "malign", "metasta", "lesion", "nodul", "lymphom", "sarcom", "gliom", "adenom", "infarct",
	"haemorrh", "hemorrh", "abscess", "aneurysm", "necro", "fractur", "polyp", "gtv", "ctv", "肿", "瘤", "癌", "结节", "病灶", "转移", "出血", "骨折"}

// meaning is the Code Meaning of the first item of a code sequence; see speaks.
func meaning(d *dcm.Dataset, tag uint32) string {
	if it := first(d, tag); it != nil {
		return it.String(0x00080104)
	}
	return ""
}

// abnormal are categories of what is a lesion.
func (c Code) abnormal() bool { return c.is("49755003", "SCT") || c.is("404684003", "SCT") }

func (c Code) lesion() bool  { return lesions[c.norm()] }
func (c Code) neutral() bool { return neutral[c.norm()] }

// normal are findings that say that there is nothing: no abnormality detected, normal.
func (c Code) normal() bool { return c.is("281900007", "SCT") || c.is("17621005", "SCT") }

// background are types that say that nothing is marked.
func (c Code) background() bool { return c.is("17621005", "SCT") || c.is("125040", "DCM") }
