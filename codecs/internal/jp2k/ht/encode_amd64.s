#include "go_asm.h"
#include "textflag.h"

// In the order of a quad's samples: top left, bottom left, top right, bottom right, for two quads.
DATA quadOrder<>+0(SB)/4, $0
DATA quadOrder<>+4(SB)/4, $4
DATA quadOrder<>+8(SB)/4, $1
DATA quadOrder<>+12(SB)/4, $5
DATA quadOrder<>+16(SB)/4, $2
DATA quadOrder<>+20(SB)/4, $6
DATA quadOrder<>+24(SB)/4, $3
DATA quadOrder<>+28(SB)/4, $7
GLOBL quadOrder<>(SB), RODATA|NOPTR, $32

// A bit for each sample of a quad: of rho, and of the samples with the largest exponent.
DATA rhoBits<>+0(SB)/4, $1
DATA rhoBits<>+4(SB)/4, $2
DATA rhoBits<>+8(SB)/4, $4
DATA rhoBits<>+12(SB)/4, $8
DATA rhoBits<>+16(SB)/4, $1
DATA rhoBits<>+20(SB)/4, $2
DATA rhoBits<>+24(SB)/4, $4
DATA rhoBits<>+28(SB)/4, $8
GLOBL rhoBits<>(SB), RODATA|NOPTR, $32

// Bytes that hold the exponents of both bottom samples of a quad.
DATA bottomBytes<>+0(SB)/8, $0x8080808080800C04
DATA bottomBytes<>+8(SB)/8, $0x8080808080808080
DATA bottomBytes<>+16(SB)/8, $0x8080808080800C04
DATA bottomBytes<>+24(SB)/8, $0x8080808080808080
GLOBL bottomBytes<>(SB), RODATA|NOPTR, $32

// func summariseKernel(top, bottom *int32, groups int, quads *quadSummary, values *uint32, expo *uint8) uint32
TEXT ·summariseKernel(SB), NOSPLIT, $0-52
	MOVQ top+0(FP), SI
	MOVQ bottom+8(FP), DI
	MOVQ groups+16(FP), CX
	MOVQ quads+24(FP), R8
	MOVQ values+32(FP), R9
	MOVQ expo+40(FP), R10
	VMOVDQU quadOrder<>(SB), Y15
	VMOVDQU rhoBits<>(SB), Y14
	VPSLLD $4, Y14, Y13
	VMOVDQU bottomBytes<>(SB), Y12
	VPCMPEQD Y11, Y11, Y11 // -1
	VPXOR Y10, Y10, Y10 // 0
	VPSRLD $31, Y11, Y9 // 1
	MOVL $126, AX
	VMOVD AX, X8
	VPBROADCASTD X8, Y8
	VPXOR Y7, Y7, Y7 // all summaries in one

loop:
	VMOVDQU (SI), X0
	VINSERTI128 $1, (DI), Y0, Y0
	VPERMD Y0, Y15, Y0
	VPABSD Y0, Y1
	VPCMPEQD Y0, Y10, Y2 // zeros
	VPSRLD $31, Y0, Y0 // sign
	VPADDD Y1, Y1, Y1
	VPADDD Y11, Y1, Y1 // 2mu-1
	VCVTDQ2PS Y1, Y3
	VPADDD Y11, Y1, Y1
	VPOR Y0, Y1, Y1 // 2mu-2 and the sign
	VPANDN Y1, Y2, Y1
	VMOVDQU Y1, (R9)
	VPSRLD $23, Y3, Y3
	VPSUBD Y8, Y3, Y3
	VPANDN Y3, Y2, Y3 // exponents
	VPSHUFD $0x4E, Y3, Y4
	VPMAXSD Y3, Y4, Y4
	VPSHUFD $0xB1, Y4, Y5
	VPMAXSD Y5, Y4, Y4 // the largest one of each quad
	VPCMPEQD Y3, Y4, Y5
	VPAND Y13, Y5, Y5
	VPOR Y14, Y5, Y5
	VPANDN Y5, Y2, Y5
	VPSHUFD $0x4E, Y5, Y6
	VPOR Y6, Y5, Y5
	VPSHUFD $0xB1, Y5, Y6
	VPOR Y6, Y5, Y5
	VPSLLD $8, Y4, Y4
	VPOR Y4, Y5, Y5
	VPOR Y5, Y7, Y7
	VPSHUFB Y12, Y3, Y3
	VPEXTRW $0, X5, (R8)
	VPEXTRW $0, X3, (R10)
	VEXTRACTI128 $1, Y5, X5
	VEXTRACTI128 $1, Y3, X3
	VPEXTRW $0, X5, 2(R8)
	VPEXTRW $0, X3, 2(R10)
	ADDQ $16, SI
	ADDQ $16, DI
	ADDQ $4, R8
	ADDQ $32, R9
	ADDQ $4, R10
	DECQ CX
	JNZ loop
	VEXTRACTI128 $1, Y7, X0
	VPOR X0, X7, X7
	VMOVD X7, AX
	MOVL AX, ret+48(FP)
	VZEROUPPER
	RET

// func largestAboveKernel(above, expo *uint8, groups int)
TEXT ·largestAboveKernel(SB), NOSPLIT, $0-24
	MOVQ above+0(FP), DI
	MOVQ expo+8(FP), SI
	MOVQ groups+16(FP), CX
	VPCMPEQD Y3, Y3, Y3
	VPSRLW $8, Y3, Y3
	VPSRLW $7, Y3, Y4 // words of 1

group:
	VMOVDQU (SI), Y0
	VPMAXUB 1(SI), Y0, Y0
	VMOVDQU 2(SI), Y1
	VPMAXUB 3(SI), Y1, Y1
	VPMAXUB Y1, Y0, Y0
	VPAND Y3, Y0, Y0
	VPSUBUSW Y4, Y0, Y0
	VPACKUSWB Y0, Y0, Y0
	VPERMQ $0x08, Y0, Y0
	VMOVDQU X0, (DI)
	ADDQ $32, SI
	ADDQ $16, DI
	DECQ CX
	JNZ group
	VZEROUPPER
	RET

// For the samples of two quads: whose data they take, and where their bits are in it.
DATA whichQuad<>+0(SB)/8, $0
DATA whichQuad<>+8(SB)/8, $0
DATA whichQuad<>+16(SB)/8, $0x0000000100000001
DATA whichQuad<>+24(SB)/8, $0x0000000100000001
GLOBL whichQuad<>(SB), RODATA|NOPTR, $32

DATA knownAt<>+0(SB)/8, $0x0000000500000004
DATA knownAt<>+8(SB)/8, $0x0000000700000006
DATA knownAt<>+16(SB)/8, $0x0000000500000004
DATA knownAt<>+24(SB)/8, $0x0000000700000006
GLOBL knownAt<>(SB), RODATA|NOPTR, $32

// APPEND puts SIZE bits of BITS behind the n = CX bits of acc = AX, and whole bytes to DI.
#define APPEND(BITS, SIZE) \
	SHLXQ CX, BITS, BITS \
	ORQ BITS, AX \
	ADDQ SIZE, CX \
	MOVQ AX, (DI) \
	MOVQ CX, R12 \
	SHRQ $3, R12 \
	ADDQ R12, DI \
	SHLQ $3, R12 \
	SHRXQ R12, AX, AX \
	ANDQ $7, CX

// func magSgnKernel(buf *byte, values, sizes *uint32, pairs int, p *bitPosition)
TEXT ·magSgnKernel(SB), NOSPLIT, $0-40
	MOVQ buf+0(FP), R13
	MOVQ values+8(FP), SI
	MOVQ sizes+16(FP), R8
	MOVQ pairs+24(FP), R9
	MOVQ p+32(FP), R10
	MOVQ bitPosition_at(R10), DI
	ADDQ R13, DI
	MOVQ bitPosition_acc(R10), AX
	MOVQ bitPosition_n(R10), CX
	VMOVDQU whichQuad<>(SB), Y15
	VMOVDQU rhoBits<>(SB), Y14
	VMOVDQU knownAt<>(SB), Y13
	VPCMPEQD Y12, Y12, Y12 // -1
	VPSRLD $31, Y12, Y11 // 1
	VPXOR Y10, Y10, Y10 // 0
	MOVL $28, R11
	VMOVQ R11, X9
	VPBROADCASTQ X9, Y9
	MOVQ $0x0000000F0000000F, BX
	VMOVQ BX, X7

pair:
	MOVQ (R8), R11
	VMOVQ X7, BX
	TESTQ BX, R11
	JZ next
	VMOVQ R11, X0
	VPERMD Y0, Y15, Y0
	VPAND Y14, Y0, Y1
	VPCMPEQD Y14, Y1, Y1 // significant samples
	VPSRLVD Y13, Y0, Y2
	VPAND Y11, Y2, Y2
	VPSRLD $16, Y0, Y3
	VPSUBD Y2, Y3, Y3
	VPAND Y1, Y3, Y3 // bits of each sample
	VPSLLVD Y3, Y12, Y4
	VPANDN (SI), Y4, Y4
	// Two samples in each half of a quad.
	VPSRLQ $32, Y3, Y5
	VPSRLQ $32, Y4, Y6
	VPBLENDD $0xAA, Y10, Y3, Y3
	VPBLENDD $0xAA, Y10, Y4, Y4
	VPSLLVQ Y3, Y6, Y6
	VPOR Y6, Y4, Y4
	VPADDQ Y5, Y3, Y3
	VPCMPGTQ Y9, Y3, Y5
	VPTEST Y5, Y5
	JNZ long
	// Whole quads, of at most 56 bits.
	VPUNPCKHQDQ Y10, Y4, Y5
	VPUNPCKHQDQ Y10, Y3, Y6
	VPSLLVQ Y3, Y5, Y5
	VPOR Y5, Y4, Y4
	VPADDQ Y6, Y3, Y3
	VMOVQ X4, R11
	VMOVQ X3, BX
	APPEND(R11, BX)
	VEXTRACTI128 $1, Y4, X4
	VEXTRACTI128 $1, Y3, X3
	VMOVQ X4, R11
	VMOVQ X3, BX
	APPEND(R11, BX)

next:
	ADDQ $8, R8
	ADDQ $32, SI
	DECQ R9
	JNZ pair

	SUBQ R13, DI
	MOVQ DI, bitPosition_at(R10)
	MOVQ AX, bitPosition_acc(R10)
	MOVQ CX, bitPosition_n(R10)
	VZEROUPPER
	RET

long:
	VMOVQ X4, R11
	VMOVQ X3, BX
	APPEND(R11, BX)
	VPEXTRQ $1, X4, R11
	VPEXTRQ $1, X3, BX
	APPEND(R11, BX)
	VEXTRACTI128 $1, Y4, X4
	VEXTRACTI128 $1, Y3, X3
	VMOVQ X4, R11
	VMOVQ X3, BX
	APPEND(R11, BX)
	VPEXTRQ $1, X4, R11
	VPEXTRQ $1, X3, BX
	APPEND(R11, BX)
	JMP next

// func classifyKernel(words, us *uint16, sizes *uint32, row, above *quadSummary, over *uint8, nq int, eventBits *byte, events *bitPosition)
TEXT ·classifyKernel(SB), NOSPLIT, $0-72
	MOVQ words+0(FP), DI
	MOVQ us+8(FP), SI
	MOVQ sizes+16(FP), R8
	MOVQ row+24(FP), R9
	MOVQ above+32(FP), R10
	MOVQ over+40(FP), R11
	MOVQ nq+48(FP), R12
	MOVQ eventBits+56(FP), R13
	MOVQ events+64(FP), R15
	ADDQ bitPosition_at(R15), R13
	MOVQ bitPosition_acc(R15), AX
	MOVQ bitPosition_n(R15), CX
	VPCMPEQW Y15, Y15, Y15 // -1
	VPSRLW $15, Y15, Y14 // 1
	VPSRLW $12, Y15, Y13 // 15
	VPXOR Y12, Y12, Y12 // 0

sixteen:
	VMOVDQU (R9), Y0 // summaries
	VMOVDQU -2(R9), Y1 // left
	VMOVDQU (R10), Y2 // above
	VMOVDQU -2(R10), Y3
	VMOVDQU 2(R10), Y4
	VPSRLW $3, Y3, Y3
	VPSRLW $1, Y2, Y5
	VPOR Y5, Y3, Y3
	VPAND Y14, Y3, Y3
	VPSLLW $8, Y3, Y3
	VPSRLW $2, Y1, Y5
	VPSRLW $3, Y1, Y1
	VPOR Y5, Y1, Y1
	VPAND Y14, Y1, Y1
	VPSLLW $9, Y1, Y1
	VPOR Y1, Y3, Y3
	VPSRLW $3, Y2, Y2
	VPSRLW $1, Y4, Y4
	VPOR Y4, Y2, Y2
	VPAND Y14, Y2, Y2
	VPSLLW $10, Y2, Y2
	VPOR Y2, Y3, Y3 // context
	VPAND Y13, Y0, Y1 // rho
	VPSRLW $8, Y0, Y2 // the largest exponent
	VPSRLW $4, Y0, Y0
	VPAND Y13, Y0, Y0 // eps
	VPADDW Y15, Y1, Y4
	VPAND Y1, Y4, Y4
	VPCMPEQW Y12, Y4, Y4 // one significant sample at most
	VPMOVZXBW (R11), Y5
	VPANDN Y5, Y4, Y5
	VPMAXUW Y14, Y5, Y5 // kappa
	VPSUBUSW Y5, Y2, Y2 // u
	VMOVDQU Y2, (SI)
	VPADDW Y2, Y5, Y5 // U
	VPCMPEQW Y12, Y2, Y4
	VPANDN Y0, Y4, Y0
	VPSLLW $4, Y1, Y4
	VPOR Y4, Y0, Y0
	VPOR Y3, Y0, Y0
	VMOVDQU Y0, (DI)
	VPUNPCKLWD Y5, Y1, Y4
	VPUNPCKHWD Y5, Y1, Y5
	VPERM2I128 $0x20, Y5, Y4, Y0
	VPERM2I128 $0x31, Y5, Y4, Y4
	VMOVDQU Y0, (R8)
	VMOVDQU Y4, 32(R8)

	// MEL events of the quads with context 0
	VPCMPEQW Y12, Y3, Y3
	VPCMPEQW Y12, Y1, Y1
	VPACKSSWB Y1, Y3, Y3 // contexts 0-7, rho 0-7, contexts 8-15, rho 8-15
	VPERMQ $0xD8, Y3, Y3
	VPMOVMSKB Y3, DX
	MOVL DX, BX
	NOTL BX
	SHRL $16, BX // rho is not 0
	MOVWLZX DX, DX // context is 0
	CMPQ R12, $16
	JGE counted
	BZHIL R12, DX, DX

counted:
	PEXTL DX, BX, BX
	POPCNTL DX, DX
	SHLXQ CX, BX, BX
	ORQ BX, AX
	ADDQ DX, CX
	MOVQ AX, (R13)
	MOVQ CX, DX
	SHRQ $3, DX
	ADDQ DX, R13
	SHLQ $3, DX
	SHRXQ DX, AX, AX
	ANDQ $7, CX

	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $64, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $16, R11
	SUBQ $16, R12
	JGT sixteen

	SUBQ eventBits+56(FP), R13
	MOVQ R13, bitPosition_at(R15)
	MOVQ AX, bitPosition_acc(R15)
	MOVQ CX, bitPosition_n(R15)
	VZEROUPPER
	RET
