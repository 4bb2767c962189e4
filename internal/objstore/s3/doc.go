// Package s3 keeps objects in a bucket of an S3 server, by aws-sdk-go-v2. It is
// the only package that imports the SDK.
//
// S3 is a language with many dialects, so nothing is taken on trust: [Open]
// probes the endpoint with a few dozen small requests under the reserved prefix
// "radtier-probe/" (see [Profile]) and uses only what it saw working. It refuses
// ([UnsafeError]) a bucket in which our objects could vanish, move or stay
// billed without anybody here having asked for it.
//
// How the contract of objstore.Store is kept on every server:
//
//   - A body of at most [Options].PartBytes is read to its end, and its size and
//     SHA-256 are compared, before the first byte is sent. A longer one, or one
//     whose size is not known, goes up in parts; the request that turns parts
//     into an object is sent only after the last byte was read and the whole was
//     compared. Whatever fails before is aborted.
//   - What arrives is compared: by a CRC the server was seen to verify, else by
//     the MD5 of each request that it verifies and returns as ETag. After each put a Head
//     compares size, ETag and storage class, and what is not as asked is deleted.
//   - Each put carries a random token in the object's metadata. When a reply was
//     lost and the repeated request is refused (412, or no such upload), the
//     token tells whether the object under the key is this put's own.
//   - Requests are repeated by the SDK alone, [Options].Attempts times with jittered
//     backoff. A body of a Get that breaks midway is a transient error.
//
// Archive classes: Get, Copy and Head say objstore.ErrArchived and Info.Restore. The
// Restore state is not part of a listing: List says whether a class is an archive, not whether a restore runs.
package s3
