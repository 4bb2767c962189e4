package codestream

import "github.com/radtier/radtier/codecs"

// codec is what errors say they come from.
const codec = "htj2k"

func malformed(at int64, clause, what string) error {
	return &codecs.MalformedError{Codec: codec, Offset: at, Clause: clause, What: what}
}

func unsupported(what string) error { return &codecs.UnsupportedError{Codec: codec, What: what} }
