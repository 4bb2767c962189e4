#include "textflag.h"
#include "kernels_amd64.h"

// func countsZeros() bool
// A processor without LZCNT runs it as BSR, which gives 0 here.
TEXT ·countsZeros(SB), NOSPLIT, $0-1
	MOVL $1, AX
	LZCNTL AX, AX
	CMPL AX, $31
	SETEQ ret+0(FP)
	RET

// func encodeKernel(k *kernel)
// DI walks q; SI and BX lead from there to the prediction and the sample.
// R10 and R11 are the bits not written yet, R12 where they go.
TEXT ·encodeKernel(SB), NOSPLIT, $0-8
	MOVQ k+0(FP), R13
	MOVQ q(R13), DI
	MOVQ px(R13), SI
	SUBQ DI, SI
	MOVQ xs(R13), BX
	SUBQ DI, BX
	MOVQ end(R13), AX
	LEAQ (DI)(AX*2), AX
	MOVQ AX, last(R13)
	MOVQ i(R13), AX
	LEAQ (DI)(AX*2), DI
	MOVQ ctx(R13), R9
	MOVQ acc(R13), R10
	MOVQ cnt(R13), R11
	MOVQ buf(R13), R12
	ADDQ n(R13), R12
	MOVL $0, stop(R13)

sample:
	CMPQ DI, last(R13)
	JAE  exit
	MOVWLSX (DI), AX
	TESTL AX, AX
	JZ   exit
	MOVL AX, CX
	SARL $31, CX // all ones if SIGN is -1
	XORL CX, AX
	SUBL CX, AX
	SHLQ $4, AX
	ADDQ R9, AX

	// Px with its correction, clamped (A.4.2).
	MOVL 8(AX), DX
	XORL CX, DX
	SUBL CX, DX
	MOVWLZX (DI)(SI*1), R8
	ADDL R8, DX
	XORL R8, R8
	TESTL DX, DX
	CMOVLLT R8, DX
	CMPL DX, maxVal(R13)
	CMOVLGT maxVal(R13), DX

	// Errval modulo RANGE (A.4.3, A.4.5).
	MOVWLZX (DI)(BX*1), R8
	SUBL DX, R8
	XORL CX, R8
	SUBL CX, R8
	MOVL up(R13), DX
	SHLXL DX, R8, R8
	SARXL DX, R8, R8

	MOVL 0(AX), CX
	MOVL 12(AX), DX
	ORDER(CX, DX, R15, R14)

	// MErrval (A.5.2).
	MOVL R8, R14
	SARL $31, R14
	LEAL (R8)(R8*1), CX
	XORL R14, CX
	MOVL 4(AX), DX
	LEAL -1(DX)(DX*1), DX
	ADDL 12(AX), DX
	SHRL $31, DX
	TESTL R15, R15
	CMOVLNE zero(R13), DX
	XORL DX, CX

	// The code (A.5.3): MErrval>>k zeros, a one, k bits.
	SHRXL R15, CX, DX
	CMPL DX, most(R13)
	JGE  long
	BZHIL R15, CX, CX
	BTSQ R15, CX
	LEAL 1(DX)(R15*1), DX
	CMPL DX, $32
	JGT  long
	SHLXQ DX, R10, R10
	ORQ  CX, R10
	ADDL DX, R11

	// Update (A.6).
	MOVL R8, CX
	XORL R14, CX
	SUBL R14, CX
	ADDL 0(AX), CX
	MOVL 4(AX), DX
	ADDL R8, DX
	MOVL 12(AX), R15
	CMPL R15, reset(R13)
	JEQ  halve

halved:
	INCL R15
	MOVL CX, 0(AX)
	MOVL R15, 12(AX)
	BIAS(DX, R15, R8, R14, CX)
	ADDQ $2, DI

	CMPL R11, $32
	JLT  sample
	LEAL -32(R11), CX
	SHRXQ CX, R10, DX
	JUMPFF(DX, R14, stuff)
	CMPL ff(R13), $0
	JNE  stuff
	BSWAPL DX
	MOVL DX, (R12)
	ADDQ $4, R12
	MOVL CX, R11
	JMP  sample

halve:
	SHRL $1, CX
	SARL $1, DX
	SHRL $1, R15
	JMP  halved

long:
	MOVL $1, stop(R13)
	JMP  exit

stuff:
	MOVL $2, stop(R13)

exit:
	SUBQ q(R13), DI
	SHRQ $1, DI
	MOVQ DI, i(R13)
	MOVQ R10, acc(R13)
	MOVQ R11, cnt(R13)
	SUBQ buf(R13), R12
	MOVQ R12, n(R13)
	RET
