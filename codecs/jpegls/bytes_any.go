//go:build !amd64

package jpegls

func widen(dst []uint16, src []byte)  { widenPlain(dst, src) }
func narrow(dst []byte, src []uint16) { narrowPlain(dst, src) }
