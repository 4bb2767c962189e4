//go:build !amd64

package mct

func forwardRCTVectors(_, _, _ []int32) int            { return 0 }
func inverseRCTVectors(_, _, _, _, _, _ []int32) int   { return 0 }
func inverseICTVectors(_, _, _, _, _, _ []float32) int { return 0 }
