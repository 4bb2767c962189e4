#include "go_asm.h"
#include "textflag.h"

// CODEWORD reads the codeword of a quad: BASE has the context without the quad to the left, LEFT that
// quad's codeword, E gets the new one. AX, R14 and R15 are scratch; LEFT may be E.
#define CODEWORD(BASE, LEFT, E) \
	MOVL LEFT, AX \
	ANDL $256, AX \
	ORL BASE, AX \
	/* R14: all bits, or none if the context is 0 and the MEL event, too */ \
	MOVL DI, R14 \
	ANDL $1, R14 \
	ORL AX, R14 \
	NEGL R14 \
	SBBL R14, R14 \
	/* an event is used up if the context is 0 */ \
	CMPL AX, $1 \
	SBBQ R15, R15 \
	ADDQ R15, R12 \
	NEGQ R15 \
	SHRXQ R15, DI, DI \
	MOVL DX, R15 \
	ANDL $127, R15 \
	ORL R15, AX \
	MOVL (R10)(AX*4), E \
	ANDL R14, E \
	MOVL E, AX \
	SHRL $17, AX \
	SHRXQ AX, DX, DX \
	SUBQ AX, BX

// func quadsKernel(quads, above *uint32, nq int, vlc *byte, tables *vlcDecode, s *vlcRow)
TEXT ·quadsKernel(SB), NOSPLIT, $8-48
	MOVQ quads+0(FP), R8
	MOVQ above+8(FP), R9
	MOVQ nq+16(FP), CX
	MOVQ vlc+24(FP), SI
	MOVQ tables+32(FP), R10
	MOVQ s+40(FP), R11
	LEAQ (R8)(CX*4), CX
	MOVQ CX, end-8(SP)
	MOVQ vlcRow_q(R11), CX
	LEAQ (R8)(CX*4), R8
	LEAQ (R9)(CX*4), R9
	ADDQ vlcRow_at(R11), SI
	MOVQ vlcRow_x(R11), DX
	MOVQ vlcRow_have(R11), BX
	MOVQ vlcRow_events(R11), DI
	MOVQ vlcRow_left(R11), R12
	MOVQ vlcRow_e(R11), R13

pair:
	CMPQ R12, $2
	JLT done
	// What the quads above give to both contexts, in place for the table.
	MOVL -4(R9), AX
	MOVL (R9), CX
	MOVL 4(R9), R11
	SHLL $4, AX
	ANDL $128, AX
	MOVL CX, R14
	SHLL $6, R14
	ANDL $640, R14
	ORL R14, AX
	MOVL R11, R14
	SHLL $8, R14
	ANDL $512, R14
	ORL R14, AX
	SHLL $6, R11
	ANDL $640, R11
	SHLL $4, CX
	ANDL $128, CX
	ORL CX, R11
	MOVL 8(R9), R15
	SHLL $8, R15
	ANDL $512, R15
	ORL R15, R11
	MOVL AX, CX

	// In empty regions both contexts are 0, and so are both MEL events.
	MOVL R13, R15
	ANDL $256, R15
	ORL R15, AX
	ORL R11, AX
	MOVL DI, R15
	ANDL $3, R15
	ORL R15, AX
	JZ empty

	CODEWORD(CX, R13, CX)
	CODEWORD(R11, CX, R13)

	// Prefixes and suffixes of u.
	MOVL DX, AX
	ANDL $63, AX
	MOVL CX, R14
	ANDL $64, R14
	ORL R14, AX
	MOVL R13, R14
	ANDL $64, R14
	ADDL R14, R14
	ORL R14, AX
	MOVL 4096(R10)(AX*4), AX
	MOVL AX, R14
	ANDL $7, R14
	SHRXQ R14, DX, R15
	MOVL AX, R11
	SHRL $3, R11
	ANDL $7, R11
	BZHIQ R11, R15, R14
	SHRXQ R11, R15, R15
	MOVL AX, R11
	SHRL $6, R11
	ANDL $7, R11
	BZHIQ R11, R15, R15
	MOVL AX, R11
	SHRL $16, R11
	SHRXQ R11, DX, DX
	SUBQ R11, BX
	MOVL R14, R11
	ORL R15, R11
	CMPL R11, $28
	JGE extensions

store:
	MOVL AX, R11
	SHRL $9, R11
	ANDL $7, R11
	ADDL R14, R11
	SHLL $20, R11
	ORL CX, R11
	MOVL R11, (R8)
	SHRL $12, AX
	ANDL $7, AX
	ADDL R15, AX
	SHLL $20, AX
	ORL R13, AX
	MOVL AX, 4(R8)

	// At least 56 bits again.
	MOVQ (SI), AX
	SHLXQ BX, AX, AX
	ORQ AX, DX
	MOVL $63, AX
	SUBQ BX, AX
	SHRQ $3, AX
	ADDQ AX, SI
	ORQ $56, BX

next:
	ADDQ $8, R8
	ADDQ $8, R9
	CMPQ R8, end-8(SP)
	JLT pair

done:
	MOVQ s+40(FP), R11
	SUBQ quads+0(FP), R8
	SHRQ $2, R8
	MOVQ R8, vlcRow_q(R11)
	SUBQ vlc+24(FP), SI
	MOVQ SI, vlcRow_at(R11)
	MOVQ DX, vlcRow_x(R11)
	MOVQ BX, vlcRow_have(R11)
	MOVQ DI, vlcRow_events(R11)
	MOVQ R12, vlcRow_left(R11)
	MOVQ R13, vlcRow_e(R11)
	RET

extensions:
	CMPL R14, $28
	JLT second
	MOVL DX, R11
	ANDL $15, R11
	SHLL $2, R11
	ADDL R11, R14
	SHRQ $4, DX
	SUBQ $4, BX

second:
	CMPL R15, $28
	JLT store
	MOVL DX, R11
	ANDL $15, R11
	SHLL $2, R11
	ADDL R11, R15
	SHRQ $4, DX
	SUBQ $4, BX
	JMP store

empty:
	MOVQ $0, (R8)
	XORL R13, R13
	SHRQ $2, DI
	SUBQ $2, R12
	JMP next
