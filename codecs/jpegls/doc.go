// Package jpegls is JPEG-LS, ISO/IEC 14495-1:1999 with Cor 1 (ITU-T T.87, 06/98).
//
// The encoder is lossless (NEAR = 0) with the default preset parameters, for 1
// to 4 components of 2 to 16 bits. The decoder does lossless and near-lossless
// streams in every interleave mode, also with one scan per component: preset
// coding parameters (LSE type 1), oversize dimensions (LSE type 4), restart
// intervals, DNL, a missing EOI after the last sample, and the three colour
// transforms of Hewlett-Packard's implementation (APP8 "mrfx") in interleaved
// scans. Application data, comments and SPIFF headers are skipped. Legal but not done,
// and told by a *codecs.UnsupportedError: mapping tables that a scan uses,
// point transforms, subsampled components, the extensions of ISO/IEC 14495-2.
//
// JPEG-LS has no sign. Signed samples are coded as sign-extended words of the
// container's width, taken as unsigned; see [Precision].
//
// Two ways lead to the same bits. The general one (decodegeneral.go) is the
// text of Annex A for any parameters. The fast one serves NEAR = 0 and MAXVAL =
// 2^P - 1, which is what an archive holds: gradients and predictions of a line
// are computed first, for many samples at once where the line is known
// (gradients*.go), then contexts and codes follow one by one without branches
// on sample values. Tests prove that both agree, and that amd64 kernels agree with plain Go.
//
// Symbols of the standard and names here:
//
//	A, B, C, N [Q]           regularContext.a .b .c .n        A.2.1
//	A, N, Nn [365..366]      runContext.a, .n, .nn            A.2.1
//	RUNindex, J              model.runIndex, runOrder         A.2.1
//	MAXVAL, NEAR, T1..T3     params.maxVal, .near, .t1 ..     C.2.4.1.1
//	RESET                    params.reset                     C.2.4.1.1
//	RANGE, qbpp, LIMIT       params.span, .qbpp, .limit       A.2.1
//	Ra Rb Rc Rd              ra rb rc rd                      3.2, A.1
//	D1 D2 D3, Q1 Q2 Q3       quantiser (of a difference)      A.3.1, A.3.3
//	Q, SIGN                  signed context number, its sign  A.3.4
//	Px                       px                               A.4.1, A.4.2
//	Errval, MErrval          e, m                             A.4.4, A.5.2
//	EMErrval, RItype, glimit em, riType, limit                A.7.2
//	P, ILV, Ri               frame.precision, scan.mode, stream.restart   C.2.2, C.2.3, C.2.5
package jpegls
