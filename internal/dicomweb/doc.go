// Package dicomweb asks another archive over DICOMweb (PS3.18): which instances of a study it has (QIDO-RS), and for headers, frames and files of
// instances (WADO-RS).
//
// Whatever the other side does, an answer is bounded in bytes and in time, what may pass is asked again a few times, and not more than a few requests run at
// once. Redirects to other hosts are not followed. Errors say what was asked for, by UIDs, and what came: never what a body or a header said, and no
// credentials. [IsTransient] tells those that may pass.
package dicomweb
