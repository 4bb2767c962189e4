#include "textflag.h"
#include "kernels_amd64.h"

// CONTEXT gives SIGN as a mask in CX and the context in AX from the signed number in AX.
#define CONTEXT \
	MOVL AX, CX; \
	SARL $31, CX; \
	XORL CX, AX; \
	SUBL CX, AX; \
	SHLQ $4, AX; \
	ADDQ R9, AX

// RECONSTRUCT decodes a sample (A.4 to A.5): Ra in R8, Rb in DX, Rc in R12, CX
// and AX from CONTEXT; the sample is left in R8 and Errval in DX. Shifted by its
// zeros, a code begins with the one and k bits.
#define RECONSTRUCT \
	MOVL R8, R14; \
	MOVL R8, R15; \
	CMPL DX, R8; \
	CMOVLLT DX, R14; \
	CMOVLGT DX, R15; \
	CMPL R12, R14; \
	CMOVLLT R14, R12; \
	CMPL R12, R15; \
	CMOVLGT R15, R12; \
	ADDL R14, R15; \
	SUBL R12, R15; \
	MOVL 8(AX), DX; \
	XORL CX, DX; \
	SUBL CX, DX; \
	ADDL DX, R15; \
	XORL R14, R14; \
	TESTL R15, R15; \
	CMOVLLT R14, R15; \
	CMPL R15, maxVal(R13); \
	CMOVLGT maxVal(R13), R15; \
	MOVL 0(AX), DX; \
	MOVL 12(AX), R12; \
	ORDER(DX, R12, R8, R14); \
	LZCNTQ R10, R14; \
	CMPL R14, most(R13); \
	JGE  long; \
	LEAL 1(R14)(R8*1), R12; \
	CMPL R12, $32; \
	JGT  long; \
	SHLXQ R14, R10, DX; \
	SHLXQ R12, R10, R10; \
	SUBL R12, R11; \
	MOVL R8, R12; \
	XORL $63, R12; \
	SHRXQ R12, DX, DX; \
	DECQ R14; \
	SHLXQ R8, R14, R14; \
	ADDQ R14, DX; \
	CMPQ DX, $131071; \
	JGT  bad; \
	MOVL DX, R14; \
	SHRL $1, DX; \
	ANDL $1, R14; \
	NEGL R14; \
	XORL R14, DX; \
	MOVL 4(AX), R14; \
	LEAL -1(R14)(R14*1), R14; \
	ADDL 12(AX), R14; \
	SARL $31, R14; \
	TESTL R8, R8; \
	CMOVLNE zero(R13), R14; \
	XORL R14, DX; \
	MOVL DX, R8; \
	XORL CX, R8; \
	SUBL CX, R8; \
	ADDL R15, R8; \
	ANDL maxVal(R13), R8

// SUMS adds Errval in DX to A in CX and B in DX, and loads N into R15 (A.6.1).
#define SUMS \
	MOVL DX, R14; \
	SARL $31, R14; \
	MOVL DX, CX; \
	XORL R14, CX; \
	SUBL R14, CX; \
	ADDL 0(AX), CX; \
	ADDL 4(AX), DX; \
	MOVL 12(AX), R15

// KEEP counts the sample and stores its context (A.6).
#define KEEP \
	INCL R15; \
	MOVL CX, 0(AX); \
	MOVL R15, 12(AX); \
	BIAS(DX, R15, R12, R14, CX)

// REFILL takes four bytes without an FF; anything else is for the caller.
#define REFILL \
	MOVQ n(R13), CX; \
	LEAQ 4(CX), DX; \
	CMPQ DX, size(R13); \
	JGT  empty; \
	MOVQ buf(R13), DX; \
	MOVL (DX)(CX*1), DX; \
	JUMPFF(DX, R14, empty); \
	BSWAPL DX; \
	ADDQ $4, CX; \
	MOVQ CX, n(R13); \
	MOVL $32, CX; \
	SUBL R11, CX; \
	SHLXQ CX, DX, DX; \
	ORQ  DX, R10; \
	ADDL $32, R11

// func decodeKernel(k *kernel)
// DI walks q; SI and BX lead from there to Rc and Ra. R8 is Ra, R10 and R11 are the bits ready.
TEXT ·decodeKernel(SB), NOSPLIT, $0-8
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
	MOVL $0, stop(R13)
	MOVWLZX (DI)(BX*1), R8

sample:
	CMPQ DI, last(R13)
	JAE  exit
	MOVWLZX (DI)(SI*1), R12 // Rc
	MOVQ R12, AX
	SUBQ R8, AX
	MOVQ table(R13), CX
	MOVBLSX (CX)(AX*1), AX
	MOVWLSX (DI), CX
	ADDL CX, AX
	JZ   exit
	CMPL R11, $32
	JLT  refill

filled:
	CONTEXT
	MOVWLZX 2(DI)(SI*1), DX
	RECONSTRUCT
	MOVW R8, 2(DI)(BX*1)
	SUMS
	CMPL R15, reset(R13)
	JEQ  halve

halved:
	KEEP
	ADDQ $2, DI
	JMP  sample

halve:
	SHRL $1, CX
	SARL $1, DX
	SHRL $1, R15
	JMP  halved

refill:
	REFILL
	JMP  filled

long:
	MOVL $1, stop(R13)
	JMP  exit

empty:
	MOVL $2, stop(R13)
	JMP  exit

bad:
	MOVL $3, stop(R13)

exit:
	SUBQ q(R13), DI
	SHRQ $1, DI
	MOVQ DI, i(R13)
	MOVQ R10, acc(R13)
	MOVQ R11, cnt(R13)
	RET

// func decodePixelsKernel(k *kernel)
// As decodeKernel, for several components side by side: Rb and the sample to
// decode are lag bytes beyond Rc and Ra. left counts the samples of the pixel
// that are still to do; their numbers in q are complete.
TEXT ·decodePixelsKernel(SB), NOSPLIT, $0-8
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
	MOVL $0, stop(R13)
	CMPQ left(R13), $0
	JNE  sample

pixel:
	// The numbers of all components, 0 replaced unless all are (B.3).
	CMPQ DI, last(R13)
	JAE  exit
	MOVQ table(R13), DX
	MOVQ DI, CX
	MOVQ lag(R13), R15
	XORL R8, R8

number:
	MOVWLZX (CX)(SI*1), R12
	MOVWLZX (CX)(BX*1), R14
	SUBQ R14, R12
	MOVBLSX (DX)(R12*1), AX
	MOVWLSX (CX), R12
	ADDL R12, AX
	ORL  AX, R8
	MOVL $365, R14
	TESTL AX, AX
	CMOVLEQ R14, AX
	MOVW AX, (CX)
	ADDQ $2, CX
	SUBQ $2, R15
	JNZ  number
	TESTL R8, R8
	JZ   exit
	MOVQ lag(R13), R15
	MOVQ R15, left(R13)

sample:
	CMPL R11, $32
	JLT  refill

filled:
	MOVWLSX (DI), AX
	CONTEXT
	MOVQ lag(R13), R15
	ADDQ SI, R15
	MOVWLZX (DI)(BX*1), R8
	MOVWLZX (DI)(SI*1), R12
	MOVWLZX (DI)(R15*1), DX
	RECONSTRUCT
	MOVQ lag(R13), R15
	ADDQ BX, R15
	MOVW R8, (DI)(R15*1)
	SUMS
	CMPL R15, reset(R13)
	JEQ  halve

halved:
	KEEP
	ADDQ $2, DI
	SUBQ $2, left(R13)
	JNE  sample
	JMP  pixel

halve:
	SHRL $1, CX
	SARL $1, DX
	SHRL $1, R15
	JMP  halved

refill:
	REFILL
	JMP  filled

long:
	MOVL $1, stop(R13)
	JMP  exit

empty:
	MOVL $2, stop(R13)
	JMP  exit

bad:
	MOVL $3, stop(R13)

exit:
	SUBQ q(R13), DI
	SHRQ $1, DI
	MOVQ DI, i(R13)
	MOVQ R10, acc(R13)
	MOVQ R11, cnt(R13)
	RET
