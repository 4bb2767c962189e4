#include "textflag.h"

// Y9 0, Y10 1, Y11..Y13 T1..T3, Y14 81, Y15 9.

// CONSTANTS loads them; R8 points at T1..T3.
#define CONSTANTS \
	VPXOR Y9, Y9, Y9; \
	MOVL $1, AX; VMOVD AX, X10; VPBROADCASTW X10, Y10; \
	VPBROADCASTW 0(R8), Y11; \
	VPBROADCASTW 2(R8), Y12; \
	VPBROADCASTW 4(R8), Y13; \
	MOVL $81, AX; VMOVD AX, X14; VPBROADCASTW X14, Y14; \
	MOVL $9, AX; VMOVD AX, X15; VPBROADCASTW X15, Y15

// QUANTISE gives the region of a-b (A.3.3). The magnitude is the or of both
// saturating differences; comparisons count -1 each, and the sign is turned where b-a is 0.
#define QUANTISE(a, b, out, t0, t1, t2) \
	VPSUBUSW b, a, t0; \
	VPSUBUSW a, b, t1; \
	VPOR t0, t1, t0; \
	VPCMPEQW t1, Y9, t1; \
	VPMAXUW t0, Y10, t2; VPCMPEQW t2, t0, out; \
	VPMAXUW t0, Y11, t2; VPCMPEQW t2, t0, t2; VPADDW t2, out, out; \
	VPMAXUW t0, Y12, t2; VPCMPEQW t2, t0, t2; VPADDW t2, out, out; \
	VPMAXUW t0, Y13, t2; VPCMPEQW t2, t0, t2; VPADDW t2, out, out; \
	VPXOR t1, out, out; \
	VPSUBW t1, out, out

// func analyseAVX2(q *int16, px, prev, cur *uint16, w, n int, thresholds *[3]uint16)
TEXT ·analyseAVX2(SB), NOSPLIT, $0-56
	MOVQ q+0(FP), DI
	MOVQ px+8(FP), SI
	MOVQ prev+16(FP), BX
	MOVQ cur+24(FP), CX
	MOVQ w+32(FP), DX
	MOVQ n+40(FP), R9
	MOVQ thresholds+48(FP), R8
	CONSTANTS
	LEAQ (BX)(R9*2), R10 // Rb
	LEAQ (BX)(R9*4), R11 // Rd
	SUBQ $16, DX         // the last step begins here
	XORQ R12, R12

step:
	VMOVDQU (CX)(R12*2), Y0  // Ra
	VMOVDQU (R10)(R12*2), Y1 // Rb
	VMOVDQU (BX)(R12*2), Y2  // Rc
	VMOVDQU (R11)(R12*2), Y3 // Rd
	QUANTISE(Y3, Y1, Y4, Y6, Y7, Y8)
	VPMULLW Y14, Y4, Y4
	QUANTISE(Y1, Y2, Y5, Y6, Y7, Y8)
	VPMULLW Y15, Y5, Y5
	VPADDW  Y5, Y4, Y4
	QUANTISE(Y2, Y0, Y5, Y6, Y7, Y8)
	VPADDW  Y5, Y4, Y4
	VMOVDQU Y4, (DI)(R12*2)

	// A.4.1: min + max - Rc clamped between them.
	VPMINUW Y0, Y1, Y6
	VPMAXUW Y0, Y1, Y7
	VPMAXUW Y2, Y6, Y2
	VPMINUW Y2, Y7, Y2
	VPADDW  Y6, Y7, Y6
	VPSUBW  Y2, Y6, Y6
	VMOVDQU Y6, (SI)(R12*2)

	CMPQ R12, DX
	JE   done
	ADDQ $16, R12
	CMPQ R12, DX
	JLE  step
	MOVQ DX, R12
	JMP  step

done:
	VZEROUPPER
	RET

// func analyseAboveAVX2(q *int16, prev *uint16, w, n int, thresholds *[3]uint16)
TEXT ·analyseAboveAVX2(SB), NOSPLIT, $0-40
	MOVQ q+0(FP), DI
	MOVQ prev+8(FP), BX
	MOVQ w+16(FP), DX
	MOVQ n+24(FP), R9
	MOVQ thresholds+32(FP), R8
	CONSTANTS
	LEAQ (BX)(R9*2), R10 // Rb
	LEAQ (BX)(R9*4), R11 // Rd
	SUBQ $16, DX
	XORQ R12, R12

step:
	VMOVDQU (R10)(R12*2), Y1 // Rb
	VMOVDQU (BX)(R12*2), Y2  // Rc
	VMOVDQU (R11)(R12*2), Y3 // Rd
	QUANTISE(Y3, Y1, Y4, Y6, Y7, Y8)
	VPMULLW Y14, Y4, Y4
	QUANTISE(Y1, Y2, Y5, Y6, Y7, Y8)
	VPMULLW Y15, Y5, Y5
	VPADDW  Y5, Y4, Y4
	VMOVDQU Y4, (DI)(R12*2)
	CMPQ    R12, DX
	JE      done
	ADDQ    $16, R12
	CMPQ    R12, DX
	JLE     step
	MOVQ    DX, R12
	JMP     step

done:
	VZEROUPPER
	RET

// func equalPrefixAVX2(a, b *uint16, w int) int
TEXT ·equalPrefixAVX2(SB), NOSPLIT, $0-32
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ w+16(FP), DX
	XORQ R12, R12

step:
	VMOVDQU   (SI)(R12*2), Y0
	VPCMPEQW  (DI)(R12*2), Y0, Y0
	VPMOVMSKB Y0, AX
	XORL      $0xFFFFFFFF, AX
	JNZ       differ
	ADDQ      $16, R12
	CMPQ      R12, DX
	JLT       step
	JMP       done

differ:
	BSFL AX, AX
	SHRL $1, AX
	ADDQ AX, R12

done:
	VZEROUPPER
	MOVQ R12, ret+24(FP)
	RET
