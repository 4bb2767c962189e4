package dcm

import "github.com/suyashkumar/dicom/pkg/tag"

// dictionaryVR returns the VR of a standard element that is unambiguous or
// has a usual choice (PS3.6), zero for private and unknown ones. Where the
// choice is by Pixel Representation it returns US; see ambiguous.
func dictionaryVR(t uint32) VR {
	if t>>16&1 == 1 {
		// A private creator (PS3.5 7.8.1). All other private elements depend on it, and we keep no list of them.
		if e := t & 0xFFFF; e >= 0x10 && e <= 0xFF {
			return vrLO
		}
		return VR{}
	}
	if t&0xFFFF == 0 {
		return vrUL
	}
	if t>>16 == 0x0028 && t&0xFF00 == 0x0400 {
		if vr, ok := transformVR[t]; ok {
			return vr
		}
	}
	info, err := tag.Find(canonical(t))
	if err != nil {
		return VR{}
	}
	return chooseVR(info.VRs)
}

// transformVR has the retired elements of transform coding that the library's dictionary lacks, or gives another VR.
var transformVR = map[uint32]VR{
	0x00280400: vrLO, 0x00280401: vrLO, 0x00280402: vrUS, 0x00280403: vrLO,
	0x00280410: vrUS, 0x00280411: vrUS, 0x00280412: vrLO, 0x00280413: {'A', 'T'},
}

// signedChoice reports whether the standard leaves US or SS to Pixel Representation.
func signedChoice(t uint32) bool {
	if t>>16&1 == 1 {
		return false
	}
	info, err := tag.Find(canonical(t))
	return err == nil && len(info.VRs) == 2 && info.VRs[0] != info.VRs[1] && (info.VRs[0] == "SS" || info.VRs[1] == "SS")
}

func chooseVR(list []string) VR {
	best := VR{}
	for _, s := range list {
		if len(s) != 2 || s == "NA" || s == "ox" || s == "xs" {
			continue
		}
		vr := VR{s[0], s[1]}
		// OW holds any length and any word; of US and SS the caller decides.
		if best == (VR{}) || vr == vrOW {
			best = vr
		}
	}
	if best == vrSS && len(list) > 1 {
		best = vrUS
	}
	return best
}

// Name returns the standard's name of an element, "" for private and unknown ones.
func Name(t uint32) string {
	info, err := tag.Find(canonical(t))
	if err != nil {
		return ""
	}
	return info.Name
}

// canonical maps the repeating groups of overlays and curves (PS3.5 7.6) to the one that the dictionary lists.
func canonical(t uint32) tag.Tag {
	if g := t >> 24; (g == 0x60 || g == 0x50) && t>>16&0xFF <= 0x1E {
		t &= 0xFF00FFFF
	}
	return tag.Tag{Group: uint16(t >> 16), Element: uint16(t)}
}
