package codecs

// Verify proves that a codestream holds exactly the samples of a view: it
// decodes src with dec and compares sample by sample. Nothing may refer to a
// codestream before Verify returned nil for it.
func Verify(dec Decoder, view View, src []byte, opts DecodeOptions) error {
	return dec.Compare(view, [][]byte{src}, opts)
}
