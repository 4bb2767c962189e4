#include "textflag.h"

DATA ·turnLeft<>+0(SB)/8, $0x0000000200000001
DATA ·turnLeft<>+8(SB)/8, $0x0000000400000003
DATA ·turnLeft<>+16(SB)/8, $0x0000000600000005
DATA ·turnLeft<>+24(SB)/8, $0x0000000000000007
GLOBL ·turnLeft<>(SB), RODATA|NOPTR, $32

DATA ·turnRight<>+0(SB)/8, $0x0000000000000007
DATA ·turnRight<>+8(SB)/8, $0x0000000200000001
DATA ·turnRight<>+16(SB)/8, $0x0000000400000003
DATA ·turnRight<>+24(SB)/8, $0x0000000600000005
GLOBL ·turnRight<>(SB), RODATA|NOPTR, $32

// first sample twice: what lies before it is its mirror image
DATA ·mirrorLeft<>+0(SB)/8, $0x0000000000000000
DATA ·mirrorLeft<>+8(SB)/8, $0x0000000200000001
DATA ·mirrorLeft<>+16(SB)/8, $0x0000000400000003
DATA ·mirrorLeft<>+24(SB)/8, $0x0000000600000005
GLOBL ·mirrorLeft<>(SB), RODATA|NOPTR, $32

// TWO sets all words of y to 2.
#define TWO(y) \
	VPCMPEQD y, y, y; \
	VPSRLD $31, y, y; \
	VPADDD y, y, y

// SPLIT takes 16 samples at SI to 8 even ones, changed, at DI and 8 odd ones,
// changed, at R8. Word 7 of Y4 is the even sample after them, word 0 of Y5 the
// changed odd sample before them; afterwards word 0 of Y5 is the last one of these.
#define SPLIT \
	VMOVUPS (SI), Y0; \
	VMOVUPS 32(SI), Y1; \
	VSHUFPS $0x88, Y1, Y0, Y2; \
	VSHUFPS $0xDD, Y1, Y0, Y3; \
	VPERMQ $0xD8, Y2, Y2; \
	VPERMQ $0xD8, Y3, Y3; \
	VPERMD Y2, Y13, Y6; \
	VPBLENDD $0x80, Y4, Y6, Y6; \
	VPADDD Y2, Y6, Y6; \
	VPSRAD $1, Y6, Y6; \
	VPSUBD Y6, Y3, Y3; \
	VPERMD Y3, Y14, Y7; \
	VPBLENDD $0x01, Y5, Y7, Y6; \
	VMOVDQA Y7, Y5; \
	VPADDD Y3, Y6, Y6; \
	VPADDD Y15, Y6, Y6; \
	VPSRAD $2, Y6, Y6; \
	VPADDD Y6, Y2, Y2; \
	VMOVDQU Y3, (R8); \
	VMOVDQU Y2, (DI)

// func forwardRowAVX2(low, high, x *int32, w int)
// Whole steps while there is an even sample behind them; then one more that ends with the
// last odd sample and may overlap the one before it.
TEXT ·forwardRowAVX2(SB), NOSPLIT, $0-32
	MOVQ low+0(FP), DI
	MOVQ high+8(FP), R8
	MOVQ x+16(FP), SI
	MOVQ w+24(FP), CX
	VMOVDQU ·turnLeft<>(SB), Y13
	VMOVDQU ·turnRight<>(SB), Y14
	TWO(Y15)
	MOVQ R8, R9           // begin of high
	LEAQ (SI)(CX*4), R10  // end of x
	MOVQ CX, R11
	SHRQ $1, R11          // odd samples

	// The changed odd sample before the first one is the first one again.
	MOVL (SI), AX
	ADDL 8(SI), AX
	SARL $1, AX
	MOVL 4(SI), DX
	SUBL AX, DX
	VMOVD DX, X5
	LEAQ -68(R10), R12    // the last place where a whole step may begin
	CMPQ SI, R12
	JA   last

loop:
	VPBROADCASTD 64(SI), Y4
	SPLIT
	ADDQ $64, SI
	ADDQ $32, DI
	ADDQ $32, R8
	CMPQ SI, R12
	JBE  loop

last:
	LEAQ (R9)(R11*4), AX
	CMPQ R8, AX
	JEQ  tail             // all odd samples are done
	SUBQ $32, AX          // place of the last 8 odd samples
	SUBQ AX, R8           // bytes of overlap
	SUBQ R8, DI
	SUBQ R8, SI
	SUBQ R8, SI
	MOVQ AX, R8
	CMPQ R8, R9
	JEQ  only
	VMOVD -4(R8), X5

only:
	VPBROADCASTD 56(SI), Y4 // mirror image
	TESTQ $1, CX
	JZ   even
	VPBROADCASTD 64(SI), Y4

even:
	SPLIT
	ADDQ $64, SI
	ADDQ $32, DI
	ADDQ $32, R8

tail:
	TESTQ $1, CX
	JZ   done
	MOVL -4(R8), AX       // the last even sample, between an odd one and its mirror image
	LEAL 2(AX)(AX*1), AX
	SARL $2, AX
	ADDL (SI), AX
	MOVL AX, (DI)

done:
	VZEROUPPER
	RET

// EVENS makes 8 even samples of low-pass samples lo and the high-pass samples
// d around them, of which before holds those that come first.
#define EVENS(lo, d, before, out) \
	VPADDD d, before, out; \
	VPADDD Y15, out, out; \
	VPSRAD $2, out, out; \
	VPSUBD out, lo, out

// JOIN writes 16 samples at DI: even samples Y2 and odd ones made of high-pass
// samples Y1 and the even samples Y2 and Y3 around them.
#define JOIN \
	VPADDD Y2, Y3, Y3; \
	VPSRAD $1, Y3, Y3; \
	VPADDD Y1, Y3, Y3; \
	VPUNPCKLDQ Y3, Y2, Y4; \
	VPUNPCKHDQ Y3, Y2, Y5; \
	VPERM2I128 $0x20, Y5, Y4, Y6; \
	VPERM2I128 $0x31, Y5, Y4, Y7; \
	VMOVDQU Y6, (DI); \
	VMOVDQU Y7, 32(DI)

// func inverseRowAVX2(x, low, high *int32, w int)
// Even samples that belong to two steps are computed twice, so that no step waits for another.
TEXT ·inverseRowAVX2(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), DI
	MOVQ low+8(FP), SI
	MOVQ high+16(FP), R8
	MOVQ w+24(FP), CX
	TWO(Y15)
	MOVQ CX, R11
	SHRQ $1, R11
	LEAQ -32(R8)(R11*4), R12 // place of the last 8 high-pass samples

	// The high-pass sample before the first one is the first one again.
	VMOVDQU ·mirrorLeft<>(SB), Y14
	VMOVDQU (R8), Y1
	VMOVDQU (SI), Y8
	VPERMD Y1, Y14, Y0
	EVENS(Y8, Y1, Y0, Y2)
	VMOVDQU 4(R8), Y0
	VMOVDQU 4(SI), Y8
	EVENS(Y8, Y0, Y1, Y3)
	JOIN
	ADDQ $32, R8
	ADDQ $32, SI
	ADDQ $64, DI
	CMPQ R8, R12
	JAE  last

loop:
	VMOVDQU (R8), Y1
	VMOVDQU -4(R8), Y0
	VMOVDQU (SI), Y8
	EVENS(Y8, Y1, Y0, Y2)
	VMOVDQU 4(R8), Y0
	VMOVDQU 4(SI), Y8
	EVENS(Y8, Y0, Y1, Y3)
	JOIN
	ADDQ $32, R8
	ADDQ $32, SI
	ADDQ $64, DI
	CMPQ R8, R12
	JB   loop

last:
	SUBQ R12, R8          // bytes of overlap
	SUBQ R8, SI
	SUBQ R8, DI
	SUBQ R8, DI
	MOVQ R12, R8
	VMOVDQU (R8), Y1
	VMOVDQU -4(R8), Y0
	VMOVDQU (SI), Y8
	EVENS(Y8, Y1, Y0, Y2)
	VMOVDQU ·turnLeft<>(SB), Y14
	VPERMD Y2, Y14, Y3    // the even samples after them
	TESTQ $1, CX
	JNZ  odd
	VPSHUFD $0xFF, Y2, Y4 // behind the last one, its mirror image
	VPBLENDD $0x80, Y4, Y3, Y3
	JOIN
	VZEROUPPER
	RET

odd:
	MOVL 28(R8), AX       // the last even sample, between a high-pass one and its mirror image
	LEAL 2(AX)(AX*1), AX
	SARL $2, AX
	MOVL 32(SI), DX
	SUBL AX, DX
	MOVL DX, 64(DI)
	VMOVD DX, X4
	VPBROADCASTD X4, Y4
	VPBLENDD $0x80, Y4, Y3, Y3
	JOIN
	VZEROUPPER
	RET
