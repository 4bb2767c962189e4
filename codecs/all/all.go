// Package all lists the codecs that ship. docs/codecs.md describes them for
// users; a test holds that table to this list.
package all

import (
	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/htj2k"
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
			NewDecoder: func() codecs.Decoder { return jpegls.NewDecoder() }, NewPlainDecoder: func() codecs.Decoder { return jpegls.NewPlainDecoder() },
			Kernels: jpegls.Kernels,
		},
		codecs.Syntax{
			UID: "1.2.840.10008.1.2.4.81", Name: "JPEG-LS Lossy (Near-Lossless) Image Compression", Ext: "jls",
			NewDecoder: func() codecs.Decoder { return jpegls.NewDecoder() },
		},
		codecs.Syntax{
			UID: "1.2.840.10008.1.2.4.201", Name: "HTJ2K Lossless Only", Ext: "jhc",
			NewDecoder: func() codecs.Decoder { return htj2k.NewDecoder() }, LevelEnds: htj2k.LevelEnds, Reduce: htj2k.Reduce,
		},
		codecs.Syntax{
			UID: "1.2.840.10008.1.2.4.202", Name: "HTJ2K with RPCL Lossless Only", Ext: "jhc",
			NewEncoder: func() codecs.Encoder { return htj2k.NewEncoder(htj2k.Options{}) },
			NewDecoder: func() codecs.Decoder { return htj2k.NewDecoder() }, NewPlainDecoder: func() codecs.Decoder { return htj2k.NewPlainDecoder() },
			Kernels: htj2k.Kernels, LevelEnds: htj2k.LevelEnds, Reduce: htj2k.Reduce,
		},
		codecs.Syntax{
			UID: "1.2.840.10008.1.2.4.203", Name: "HTJ2K", Ext: "jhc",
			NewDecoder: func() codecs.Decoder { return htj2k.NewDecoder() }, LevelEnds: htj2k.LevelEnds, Reduce: htj2k.Reduce,
		},
	)
}
