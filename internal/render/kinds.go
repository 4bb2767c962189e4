package render

import "strings"

// NoPicture says why objects of a SOP Class in a transfer syntax have no
// thumbnail, "" if they may have one. hasPixels is whether there is a pixel data element.
func NoPicture(class, syntax string, hasPixels bool) string {
	const storage = "1.2.840.10008.5.1.4.1.1."
	kind, ok := strings.CutPrefix(class, storage)
	if ok {
		for _, k := range noPicture {
			if kind == k.prefix || strings.HasPrefix(kind, k.prefix+".") {
				return k.reason
			}
		}
	}
	switch {
	case class == "1.2.840.10008.1.3.10":
		return "a media directory has no picture"
	case !hasPixels:
		return "the object has no pixel data"
	case isVideo(syntax):
		return "video is not decoded"
	}
	return ""
}

// noPicture lists storage classes by what follows 1.2.840.10008.5.1.4.1.1. (PS3.4 B.5), the more special ones first.
var noPicture = []struct{ prefix, reason string }{
	{"88.59", "a key object selection has no picture"},
	{"88", "a structured report has no picture"},
	{"11", "a presentation state has no picture of its own"},
	{"9", "a waveform has no picture"},
	{"66.4", "a segmentation is no image of the patient"},
	{"66.7", "a segmentation is no image of the patient"},
	{"66", "the object has no picture"},
	{"481.3", "a structure set has no picture"},
	{"104", "a document is not drawn"},
	{"4.2", "spectroscopy has no picture"},
}

// isVideo reports whether a transfer syntax is MPEG2, MPEG-4 or HEVC (PS3.5 A.4.5 to A.4.9), which end at .108, fragmentable ones included.
func isVideo(syntax string) bool {
	rest, ok := strings.CutPrefix(syntax, "1.2.840.10008.1.2.4.")
	if !ok {
		return false
	}
	rest, _, _ = strings.Cut(rest, ".")
	return len(rest) == 3 && rest >= "100" && rest <= "108"
}
