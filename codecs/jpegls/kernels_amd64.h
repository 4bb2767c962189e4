// Contexts are 16 bytes: A at 0, B at 4, C at 8, N at 12.

// ORDER gives k = the smallest with N<<k >= A (A.5.1) from A in a, N in n.
#define ORDER(a, n, k, t) \
	LZCNTL a, t; \
	LZCNTL n, k; \
	SUBL t, k; \
	XORL t, t; \
	TESTL k, k; \
	CMOVLLT t, k; \
	SHLXQ k, n, t; \
	CMPQ t, a; \
	ADCL $0, k

// BIAS is A.6.2 with B in b, N in n, the context at AX; it stores B and C.
// c, low and high are scratch. Clamping B to 1-N..0 is right in all three cases.
#define BIAS(b, n, c, low, high) \
	MOVL 8(AX), c; \
	LEAL -1(b)(n*1), low; \
	SARL $31, low; \
	MOVL b, high; \
	NEGL high; \
	SARL $31, high; \
	ADDL low, c; \
	SUBL high, c; \
	CMPL c, least(R13); \
	CMOVLLT least(R13), c; \
	CMPL c, greatest(R13); \
	CMOVLGT greatest(R13), c; \
	MOVL c, 8(AX); \
	ANDL n, low; \
	ANDL n, high; \
	ADDL low, b; \
	SUBL high, b; \
	NEGL n; \
	INCL n; \
	CMPL b, n; \
	CMOVLLT n, b; \
	XORL n, n; \
	TESTL b, b; \
	CMOVLGT n, b; \
	MOVL b, 4(AX)

// JUMPFF goes to label if a byte of w is FF.
#define JUMPFF(w, t, label) \
	MOVL w, t; \
	NOTL t; \
	SUBL $0x01010101, t; \
	ANDL w, t; \
	TESTL $0x80808080, t; \
	JNZ label

// Offsets in kernel.
#define ctx 0
#define q 8
#define px 16
#define xs 24
#define buf 32
#define table 40
#define i 48
#define end 56
#define n 64
#define last 72
#define acc 80
#define cnt 88
#define maxVal 96
#define up 100
#define reset 104
#define most 108
#define ff 112
#define least 116
#define greatest 120
#define zero 124
#define stop 128
#define size 136
#define lag 144
#define left 152
