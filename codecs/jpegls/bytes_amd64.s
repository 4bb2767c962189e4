#include "textflag.h"

// func widenAVX2(dst *uint16, src *byte, n int)
TEXT ·widenAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), DX
	XORQ R12, R12

step:
	VPMOVZXBW (SI)(R12*1), Y0
	VPMOVZXBW 16(SI)(R12*1), Y1
	VMOVDQU   Y0, (DI)(R12*2)
	VMOVDQU   Y1, 32(DI)(R12*2)
	ADDQ      $32, R12
	CMPQ      R12, DX
	JLT       step
	VZEROUPPER
	RET

// func narrowAVX2(dst *byte, src *uint16, n int)
TEXT ·narrowAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), DX
	XORQ R12, R12

step:
	VMOVDQU   (SI)(R12*2), Y0
	VMOVDQU   32(SI)(R12*2), Y1
	VPACKUSWB Y1, Y0, Y0
	VPERMQ    $0xD8, Y0, Y0
	VMOVDQU   Y0, (DI)(R12*1)
	ADDQ      $32, R12
	CMPQ      R12, DX
	JLT       step
	VZEROUPPER
	RET
