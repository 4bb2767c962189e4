// Package all lists the codecs that ship. docs/codecs.md describes them for
// users; a test holds that table to this list.
package all

import (
	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/jpegls"
	"github.com/radtier/radtier/codecs/rle"
)

// Set returns the transfer syntaxes that this build reads and writes. Native
// syntaxes are not among them: their frames need no codec.
func Set() *codecs.Set {
	return codecs.NewSet(
		codecs.Syntax{
			UID: "1.2.840.10008.1.2.5", Name: "RLE Lossless", Ext: "rle",
			NewEncoder: func() codecs.Encoder { return rle.NewEncoder() },
			NewDecoder: func() codecs.Decoder { return rle.NewDecoder() },
		},
		codecs.Syntax{
			UID: "1.2.840.10008.1.2.4.80", Name: "JPEG-LS Lossless Image Compression", Ext: "jls",
			NewEncoder: func() codecs.Encoder { return jpegls.NewEncoder(jpegls.Options{}) },
			NewDecoder: func() codecs.Decoder { return jpegls.NewDecoder() },
		},
		codecs.Syntax{
			UID: "1.2.840.10008.1.2.4.81", Name: "JPEG-LS Lossy (Near-Lossless) Image Compression", Ext: "jls",
			NewDecoder: func() codecs.Decoder { return jpegls.NewDecoder() },
		},
	)
}
