// Package ossfake is a fake of the S3-compatible endpoint of Alibaba Cloud OSS, in memory, for tests.
//
// It is a fake. It was written from documents and from error messages that
// others have published, it was never compared with the real service, and what
// passes here has not been tested on OSS. Its use is to show that a client
// copes with a server that refuses what OSS refuses.
//
// What is known, and where from (S: Alibaba Cloud's documents on S3 compatibility, "Compatibility with Amazon S3" and
// "Seamlessly migrate data from Amazon S3", the latter of 2021; A: its API reference; I: public issues of other projects):
//
//   - Only virtual-hosted addressing; by path 403 SecondLevelDomainForbidden (S; I: treeverse/lakeFS 3490). [Options.PathStyle] lifts it,
//     as the provider does for a bucket on request (I: peak/s5cmd 518).
//   - If-Match and If-None-Match on a put are answered 501 NotImplemented (I: tobi/walgit 67). Create-only is x-oss-forbid-overwrite
//     there, which this fake does not know.
//   - aws-chunked bodies with trailers are answered 400 InvalidArgument (I: apache/polaris 3346, karakeep 2191). Whether signed chunks
//     without a trailer pass is told both ways; here all chunked bodies are refused.
//   - ETags of puts are the MD5 in upper case, those of uploads in parts are not made as S3 makes them (S, A).
//     [Options.S3ETags] turns both into what S3 does.
//   - STANDARD, STANDARD_IA and GLACIER are its Standard, IA and Archive (S).
//   - A restore is answered 202, 409 RestoreAlreadyInProgress while it is under way, 200 once it is done; of an object that is
//     not archived 400 OperationNotSupported (A). The Days of the S3 request are ignored: a restored object can be read for one day,
//     and asking again makes it longer, up to seven days (S, 2021). [Options.HonourDays] keeps to Days. Reading or copying what is
//     frozen is answered 403 InvalidObjectState (I: aliyun/aliyun-oss-go-sdk 436). Archive takes a minute, ColdArchive 1, 5 or 12 hours (A).
//   - Parts but the last have at least 100 KB (A), CopyObject copies less than 1 GB (A), Content-MD5 is verified (A).
//   - Of the operations here, S lists neither ListMultipartUploads, RestoreObject (which its text says to use), nor those on versioning and object lock.
//
// Assumed, without a source: that those unlisted operations work as in S3; that x-amz-storage-class is always in a
// reply, and that ColdArchive is called DEEP_ARCHIVE in it; the codes for a class that is not known (400 InvalidStorageClass),
// a wrong MD5 (400 BadDigest), a wrong SHA-256 (400 XAmzContentSHA256Mismatch) and a copy that is too large (400 EntityTooLarge);
// that conditions on Complete and Copy are refused as those on puts; that conditions on reads hold; that
// x-amz-checksum-* is ignored; the multipart ETag itself, of which only that it differs from S3's is known.
//
// Do not rely on it for: permissions, presigned URLs, signatures in chunks, listing by delimiter or version 1 of listing, tags, ACLs,
// encryption, versions, locks and lifecycle rules (the configurations are shown, nothing acts on them), minimum storage
// durations, limits of rate and size other than those above, time that differs between client and server, and durability.
package ossfake
