#include "textflag.h"

// func forwardRCTAVX2(red, green, blue *int32, n int)
TEXT ·forwardRCTAVX2(SB), NOSPLIT, $0-32
	MOVQ red+0(FP), DI
	MOVQ green+8(FP), SI
	MOVQ blue+16(FP), R8
	MOVQ n+24(FP), CX
	XORQ AX, AX

loop:
	VMOVDQU (DI)(AX*4), Y0
	VMOVDQU (SI)(AX*4), Y1
	VMOVDQU (R8)(AX*4), Y2
	VPADDD  Y2, Y0, Y3
	VPADDD  Y1, Y1, Y4
	VPADDD  Y4, Y3, Y3
	VPSRAD  $2, Y3, Y3
	VPSUBD  Y1, Y2, Y2
	VPSUBD  Y1, Y0, Y0
	VMOVDQU Y3, (DI)(AX*4)
	VMOVDQU Y2, (SI)(AX*4)
	VMOVDQU Y0, (R8)(AX*4)
	ADDQ    $8, AX
	CMPQ    AX, CX
	JLT     loop
	VZEROUPPER
	RET

// func inverseRCTAVX2(red, green, blue, y0, y1, y2 *int32, n int)
TEXT ·inverseRCTAVX2(SB), NOSPLIT, $0-56
	MOVQ red+0(FP), DI
	MOVQ green+8(FP), SI
	MOVQ blue+16(FP), R8
	MOVQ y0+24(FP), R9
	MOVQ y1+32(FP), R10
	MOVQ y2+40(FP), R11
	MOVQ n+48(FP), CX
	XORQ AX, AX

loop:
	VMOVDQU (R10)(AX*4), Y1
	VMOVDQU (R11)(AX*4), Y2
	VMOVDQU (R9)(AX*4), Y0
	VPADDD  Y2, Y1, Y3
	VPSRAD  $2, Y3, Y3
	VPSUBD  Y3, Y0, Y0 // green
	VPADDD  Y0, Y2, Y2
	VPADDD  Y0, Y1, Y1
	VMOVDQU Y2, (DI)(AX*4)
	VMOVDQU Y0, (SI)(AX*4)
	VMOVDQU Y1, (R8)(AX*4)
	ADDQ    $8, AX
	CMPQ    AX, CX
	JLT     loop
	VZEROUPPER
	RET

// func inverseICTAVX2(red, green, blue, y0, y1, y2 *float32, n int, factors *[4]float32)
TEXT ·inverseICTAVX2(SB), NOSPLIT, $0-64
	MOVQ red+0(FP), DI
	MOVQ green+8(FP), SI
	MOVQ blue+16(FP), R8
	MOVQ y0+24(FP), R9
	MOVQ y1+32(FP), R10
	MOVQ y2+40(FP), R11
	MOVQ n+48(FP), CX
	MOVQ factors+56(FP), DX
	VBROADCASTSS 0(DX), Y12
	VBROADCASTSS 4(DX), Y13
	VBROADCASTSS 8(DX), Y14
	VBROADCASTSS 12(DX), Y15
	XORQ AX, AX

loop:
	VMOVUPS (R9)(AX*4), Y0
	VMOVUPS (R10)(AX*4), Y1
	VMOVUPS (R11)(AX*4), Y2
	VMULPS  Y12, Y2, Y3
	VADDPS  Y3, Y0, Y3 // red
	VMULPS  Y13, Y1, Y4
	VSUBPS  Y4, Y0, Y4
	VMULPS  Y14, Y2, Y5
	VSUBPS  Y5, Y4, Y4 // green
	VMULPS  Y15, Y1, Y5
	VADDPS  Y5, Y0, Y5 // blue
	VMOVUPS Y3, (DI)(AX*4)
	VMOVUPS Y4, (SI)(AX*4)
	VMOVUPS Y5, (R8)(AX*4)
	ADDQ    $8, AX
	CMPQ    AX, CX
	JLT     loop
	VZEROUPPER
	RET
