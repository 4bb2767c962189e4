#include "textflag.h"

// func forwardLinesAVX2(low, high, even, odd, next, above *int32, n int)
TEXT ·forwardLinesAVX2(SB), NOSPLIT, $0-56
	MOVQ low+0(FP), DI
	MOVQ high+8(FP), R8
	MOVQ even+16(FP), SI
	MOVQ odd+24(FP), R9
	MOVQ next+32(FP), R10
	MOVQ above+40(FP), R11
	MOVQ n+48(FP), CX
	XORQ AX, AX
	VPCMPEQD Y15, Y15, Y15
	VPSRLD $31, Y15, Y15
	VPADDD Y15, Y15, Y15 // 2

loop:
	VMOVDQU (SI)(AX*4), Y0
	VPADDD (R10)(AX*4), Y0, Y1
	VPSRAD $1, Y1, Y1
	VMOVDQU (R9)(AX*4), Y2
	VPSUBD Y1, Y2, Y2
	VMOVDQU Y2, (R8)(AX*4)
	VPADDD (R11)(AX*4), Y2, Y2
	VPADDD Y15, Y2, Y2
	VPSRAD $2, Y2, Y2
	VPADDD Y2, Y0, Y0
	VMOVDQU Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VZEROUPPER
	RET

// func inverseLinesAVX2(even, odd, low, high, above, prev *int32, n int)
TEXT ·inverseLinesAVX2(SB), NOSPLIT, $0-56
	MOVQ even+0(FP), DI
	MOVQ odd+8(FP), R8
	MOVQ low+16(FP), SI
	MOVQ high+24(FP), R9
	MOVQ above+32(FP), R10
	MOVQ prev+40(FP), R11
	MOVQ n+48(FP), CX
	XORQ AX, AX
	VPCMPEQD Y15, Y15, Y15
	VPSRLD $31, Y15, Y15
	VPADDD Y15, Y15, Y15 // 2

loop:
	VMOVDQU (R10)(AX*4), Y0
	VPADDD (R9)(AX*4), Y0, Y1
	VPADDD Y15, Y1, Y1
	VPSRAD $2, Y1, Y1
	VMOVDQU (SI)(AX*4), Y2
	VPSUBD Y1, Y2, Y2
	VMOVDQU Y2, (DI)(AX*4)
	VPADDD (R11)(AX*4), Y2, Y2
	VPSRAD $1, Y2, Y2
	VPADDD Y2, Y0, Y0
	VMOVDQU Y0, (R8)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VZEROUPPER
	RET

// func unstepAVX2(dst, x, a, b *float32, n int, f float32)
TEXT ·unstepAVX2(SB), NOSPLIT, $0-44
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ a+16(FP), R8
	MOVQ b+24(FP), R9
	MOVQ n+32(FP), CX
	VBROADCASTSS f+40(FP), Y4
	XORQ AX, AX

loop:
	VMOVUPS (R8)(AX*4), Y1
	VADDPS (R9)(AX*4), Y1, Y1
	VMULPS Y4, Y1, Y1
	VMOVUPS (SI)(AX*4), Y0
	VSUBPS Y1, Y0, Y0
	VMOVUPS Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VZEROUPPER
	RET

// func scaleAVX2(dst, src *float32, n int, f float32)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS f+24(FP), Y4
	XORQ AX, AX

loop:
	VMULPS (SI)(AX*4), Y4, Y0
	VMOVUPS Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VZEROUPPER
	RET

// func joinAVX2(dst, first, second *float32, n int)
TEXT ·joinAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ first+8(FP), SI
	MOVQ second+16(FP), R8
	MOVQ n+24(FP), CX
	XORQ AX, AX

loop:
	VMOVUPS (SI)(AX*4), Y0
	VMOVUPS (R8)(AX*4), Y1
	VUNPCKLPS Y1, Y0, Y2
	VUNPCKHPS Y1, Y0, Y3
	VPERM2F128 $0x20, Y3, Y2, Y0
	VPERM2F128 $0x31, Y3, Y2, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, DI
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VZEROUPPER
	RET
