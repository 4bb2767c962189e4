#include "textflag.h"

// For the samples of two quads: whose data they take, and where their bits are in it.
DATA byQuad<>+0(SB)/8, $0
DATA byQuad<>+8(SB)/8, $0
DATA byQuad<>+16(SB)/8, $0x0000000100000001
DATA byQuad<>+24(SB)/8, $0x0000000100000001
GLOBL byQuad<>(SB), RODATA|NOPTR, $32

DATA sampleBits<>+0(SB)/8, $0x0000000200000001
DATA sampleBits<>+8(SB)/8, $0x0000000800000004
DATA sampleBits<>+16(SB)/8, $0x0000000200000001
DATA sampleBits<>+24(SB)/8, $0x0000000800000004
GLOBL sampleBits<>(SB), RODATA|NOPTR, $32

DATA knownShift<>+0(SB)/8, $0x0000000A00000009
DATA knownShift<>+8(SB)/8, $0x0000000C0000000B
DATA knownShift<>+16(SB)/8, $0x0000000A00000009
DATA knownShift<>+24(SB)/8, $0x0000000C0000000B
GLOBL knownShift<>(SB), RODATA|NOPTR, $32

// The byte of each quad in a word.
DATA aboveBytes<>+0(SB)/8, $0x8080800080808000
DATA aboveBytes<>+8(SB)/8, $0x8080800080808000
DATA aboveBytes<>+16(SB)/8, $0x8080800180808001
DATA aboveBytes<>+24(SB)/8, $0x8080800180808001
GLOBL aboveBytes<>(SB), RODATA|NOPTR, $32

// What the exponent of a float32 is more than the number of bits of an integer.
DATA bias<>+0(SB)/8, $0x0000007E0000007E
DATA bias<>+8(SB)/8, $0x0000007E0000007E
DATA bias<>+16(SB)/8, $0x0000007E0000007E
DATA bias<>+24(SB)/8, $0x0000007E0000007E
GLOBL bias<>(SB), RODATA|NOPTR, $32

// Top samples first, then bottom samples.
DATA rowOrder<>+0(SB)/8, $0x0000000200000000
DATA rowOrder<>+8(SB)/8, $0x0000000600000004
DATA rowOrder<>+16(SB)/8, $0x0000000300000001
DATA rowOrder<>+24(SB)/8, $0x0000000700000005
GLOBL rowOrder<>(SB), RODATA|NOPTR, $32

// Bytes that hold the exponents of both bottom samples of a quad.
DATA bottoms<>+0(SB)/8, $0x8080808080800C04
DATA bottoms<>+8(SB)/8, $0x8080808080808080
DATA bottoms<>+16(SB)/8, $0x8080808080800C04
DATA bottoms<>+24(SB)/8, $0x8080808080808080
GLOBL bottoms<>(SB), RODATA|NOPTR, $32

// func magnitudeKernel(top, bottom *int32, pairs int, quads *uint32, above, expo, mag *uint8, pos uint, planes uint32) (end uint, most uint32)
TEXT ·magnitudeKernel(SB), NOSPLIT, $0-84
	MOVQ top+0(FP), DI
	MOVQ bottom+8(FP), SI
	MOVQ pairs+16(FP), CX
	MOVQ quads+24(FP), R8
	MOVQ above+32(FP), R9
	MOVQ expo+40(FP), R10
	MOVQ mag+48(FP), R11
	MOVQ pos+56(FP), DX
	MOVL planes+64(FP), AX
	VMOVD AX, X14
	VPBROADCASTD X14, Y14
	MOVL $14, AX
	VMOVD AX, X15
	VPBROADCASTD X15, Y15
	VPCMPEQD Y13, Y13, Y13 // -1
	VPSRLD $31, Y13, Y12 // 1
	VPXOR Y11, Y11, Y11 // 0
	VPXOR Y10, Y10, Y10 // the largest U
	VMOVDQU sampleBits<>(SB), Y9
	VMOVDQU knownShift<>(SB), Y8
	VMOVDQU byQuad<>(SB), Y7
	MOVQ $0x0000000F0000000F, R15 // rho of both quads

loop:
	MOVQ (R8), AX
	TESTQ R15, AX
	JZ empty
	VMOVQ AX, X0
	VPERMD Y0, Y7, Y0 // rho, ek, e1, u
	VPAND Y9, Y0, Y1
	VPCMPEQD Y9, Y1, Y1 // significant samples
	// U = u + kappa
	VPSLLD $28, Y0, Y2
	VPSRLD $28, Y2, Y2 // rho
	VPADDD Y13, Y2, Y3
	VPAND Y3, Y2, Y2
	VPCMPEQD Y11, Y2, Y2 // one significant sample at most
	VPBROADCASTW (R9), Y3
	VPSHUFB aboveBytes<>(SB), Y3, Y3
	VPANDN Y3, Y2, Y3
	VPMAXSD Y12, Y3, Y3
	VPSRLD $20, Y0, Y2
	VPADDD Y3, Y2, Y2
	VPAND Y1, Y2, Y2
	VPMAXUD Y2, Y10, Y10
	// sizes of the samples' bits
	VPSRLVD Y8, Y0, Y3
	VPAND Y12, Y3, Y4
	VPSUBD Y4, Y2, Y2
	VPAND Y1, Y2, Y2
	VPCMPGTD Y15, Y2, Y4
	VPTEST Y4, Y4
	JNZ large

	// At most 14 each: those of a quad come with one load, and PDEP puts them into words.
	VPSLLVD Y2, Y13, Y4
	VPANDN Y13, Y4, Y4 // masks
	VEXTRACTI128 $1, Y4, X5
	VPACKUSDW X5, X4, X4
	VMOVQ X4, R12
	VPEXTRQ $1, X4, R13
	POPCNTQ R12, BX
	MOVQ DX, AX
	SHRQ $3, AX
	MOVQ (R11)(AX*1), AX
	MOVL DX, R14
	ANDL $7, R14
	SHRXQ R14, AX, AX
	ADDQ BX, DX
	POPCNTQ R13, BX
	PDEPQ R12, AX, AX
	VMOVQ AX, X0
	MOVQ DX, AX
	SHRQ $3, AX
	MOVQ (R11)(AX*1), AX
	MOVL DX, R14
	ANDL $7, R14
	SHRXQ R14, AX, AX
	ADDQ BX, DX
	PDEPQ R13, AX, AX
	VPINSRQ $1, AX, X0, X0
	VPMOVZXWD X0, Y0

values:
	VPSRLD $4, Y3, Y3
	VPAND Y12, Y3, Y3
	VPSLLVD Y2, Y3, Y3
	VPOR Y3, Y0, Y0 // 2mu-2 and the sign
	VPOR Y12, Y0, Y3
	VCVTDQ2PS Y3, Y3
	VPSRLD $23, Y3, Y3
	VPAND Y12, Y0, Y4
	VPSRLD $1, Y0, Y0
	VPSUBD Y13, Y0, Y0 // mu
	VPSUBD Y4, Y11, Y4
	VPXOR Y4, Y0, Y0
	VPSUBD Y4, Y0, Y0
	VPAND Y1, Y0, Y0
	VMOVDQU rowOrder<>(SB), Y4
	VPERMD Y0, Y4, Y0
	VMOVDQU X0, (DI)
	VEXTRACTI128 $1, Y0, (SI)
	VPSUBD bias<>(SB), Y3, Y3
	VPAND Y1, Y3, Y3
	VPSHUFB bottoms<>(SB), Y3, Y3
	VPEXTRW $0, X3, (R10)
	VEXTRACTI128 $1, Y3, X3
	VPEXTRW $0, X3, 2(R10)

next:
	ADDQ $16, DI
	ADDQ $16, SI
	ADDQ $8, R8
	ADDQ $2, R9
	ADDQ $4, R10
	DECQ CX
	JNZ loop

	MOVQ DX, end+72(FP)
	VEXTRACTI128 $1, Y10, X0
	VPMAXUD X0, X10, X10
	VPSHUFD $0x4E, X10, X0
	VPMAXUD X0, X10, X10
	VPSHUFD $0xB1, X10, X0
	VPMAXUD X0, X10, X10
	VMOVD X10, AX
	MOVL AX, most+80(FP)
	VZEROUPPER
	RET

large:
	// Where the bits of each sample start, and a load for each.
	VPMINUD Y14, Y2, Y2
	VPSLLDQ $4, Y2, Y4
	VPADDD Y2, Y4, Y4
	VPSLLDQ $8, Y4, Y5
	VPADDD Y5, Y4, Y4
	VPERM2I128 $0x08, Y4, Y4, Y5
	VPSHUFD $0xFF, Y5, Y5
	VPADDD Y5, Y4, Y4 // sums up to and with the sample
	VPSUBD Y2, Y4, Y5
	VMOVD DX, X6
	VPBROADCASTD X6, Y6
	VPADDD Y6, Y5, Y5
	VEXTRACTI128 $1, Y4, X4
	VPEXTRD $3, X4, AX
	ADDQ AX, DX
	VPSRLD $3, Y5, Y4
	VPSLLD $29, Y5, Y5
	VPSRLD $29, Y5, Y5
	VPCMPEQD Y6, Y6, Y6
	VPGATHERDD Y6, (R11)(Y4*1), Y0
	VPSRLVD Y5, Y0, Y0
	VPSLLVD Y2, Y13, Y4
	VPANDN Y0, Y4, Y0
	JMP values

empty:
	VMOVDQU X11, (DI)
	VMOVDQU X11, (SI)
	MOVL $0, (R10)
	JMP next
