package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// begin starts an upload and sends its only part.
func (pr *probe) begin(ctx context.Context, key *string, data []byte, whole bool) (id *string, parts *types.CompletedMultipartUpload, err error) {
	create := &s3.CreateMultipartUploadInput{Bucket: &pr.o.Bucket, Key: key}
	part := &s3.UploadPartInput{Bucket: &pr.o.Bucket, Key: key, PartNumber: aws.Int32(1), Body: bytes.NewReader(data)}
	switch {
	case whole:
		create.ChecksumAlgorithm, create.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
		part.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
	case pr.p.Checksums == ChecksumsSDK:
		create.ChecksumAlgorithm, part.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32
	}
	created, err := pr.api.CreateMultipartUpload(ctx, create, pr.plain)
	if err != nil {
		return nil, nil, err
	}
	pr.mu.Lock()
	pr.uploads[*created.UploadId] = *key
	pr.mu.Unlock()
	part.UploadId = created.UploadId
	sent, err := pr.api.UploadPart(ctx, part, pr.plain)
	if err != nil {
		return nil, nil, err
	}
	return created.UploadId, &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{
		PartNumber: aws.Int32(1), ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32, ChecksumCRC64NVME: sent.ChecksumCRC64NVME,
	}}}, nil
}

// done forgets an upload that was completed.
func (pr *probe) done(id *string) {
	pr.mu.Lock()
	delete(pr.uploads, *id)
	pr.mu.Unlock()
}

// multipart finds whether uploads in parts work, and which of several that complete under one key wins.
func (pr *probe) multipart(ctx context.Context) {
	const n = 3 // the last one completes after the others
	key, data := pr.key("parts"), pattern(2000)
	ids, parts, errs := [n]*string{}, [n]*types.CompletedMultipartUpload{}, [n]error{}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { ids[i], parts[i], errs[i] = pr.begin(ctx, key, data, false) })
	}
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		pr.p.find(LevelRefuse, "uploads in parts do not work: "+failure(ctx, "probe: upload", "", err).Error(),
			"give the credentials permission for multipart uploads; without them no volume larger than a part can be stored")
		return
	}
	won, refused := 0, 0
	complete := func(i int, alone bool) error {
		in := &s3.CompleteMultipartUploadInput{Bucket: &pr.o.Bucket, Key: key, UploadId: ids[i], MultipartUpload: parts[i], IfNoneMatch: ifNew(alone)}
		_, err := pr.api.CompleteMultipartUpload(ctx, in, pr.plain)
		if err == nil {
			pr.done(ids[i])
		}
		return err
	}
	for i := range n - 1 {
		all.Go(func() { errs[i] = complete(i, true) })
	}
	all.Wait()
	errs[n-1] = complete(n-1, true)
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case lostRace(err), isCode(err, "NoSuchUpload"):
			refused++
		}
	}
	if won == 0 { // a server that refuses the condition itself
		if err := complete(n-1, false); err != nil {
			pr.p.find(LevelRefuse, "uploads in parts cannot be completed: "+failure(ctx, "probe: complete upload", "", err).Error(), "check the server")
			return
		}
	}
	head, err := pr.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &pr.o.Bucket, Key: key})
	if err != nil || aws.ToInt64(head.ContentLength) != int64(len(data)) {
		pr.p.find(LevelRefuse, "an object put in parts is not there afterwards", "check the server")
		return
	}
	pr.p.Multipart = true
	pr.p.CreateOnlyMultipart = won == 1 && refused == n-1
	if !pr.p.CreateOnlyMultipart {
		pr.p.find(LevelNote, fmt.Sprintf("uploads in parts are not create-only: of %d with If-None-Match %d were stored and %d refused as too late", n, won, refused), "")
	}
	sum := md5.Sum(data)
	sum = md5.Sum(sum[:])
	pr.p.CompositeETag = pr.p.ETagIsMD5 && strings.EqualFold(cleanETag(aws.ToString(head.ETag)), fmt.Sprintf("%x-1", sum))
	if pr.p.needMD5 && !pr.p.CompositeETag {
		pr.p.find(LevelNote, "the ETag of objects put in parts is not made of the parts' MD5s: each part is compared, their order is not", "")
	}
}

// wholeChecksum finds whether the server verifies a CRC-64 of a whole object that was put in parts.
func (pr *probe) wholeChecksum(ctx context.Context) {
	if pr.p.Checksums != ChecksumsSDK || !pr.p.VerifiedCRC || !pr.p.Multipart {
		return
	}
	key, data := pr.key("whole"), pattern(2000)
	id, parts, err := pr.begin(ctx, key, data, true)
	if err != nil {
		return
	}
	complete := func(crc uint64) error {
		sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
		_, err := pr.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &pr.o.Bucket, Key: key, UploadId: id, MultipartUpload: parts,
			ChecksumCRC64NVME: &sum, ChecksumType: types.ChecksumTypeFullObject, MpuObjectSize: aws.Int64(int64(len(data))),
		})
		return err
	}
	right := crc64.Checksum(data, crc64.MakeTable(crc64NVME))
	if !refusedByClient(complete(right+1)) || complete(right) != nil {
		return
	}
	pr.done(id)
	head, err := pr.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &pr.o.Bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
	pr.p.WholeObjectChecksum = err == nil && head.ChecksumType != types.ChecksumTypeComposite &&
		aws.ToString(head.ChecksumCRC64NVME) == base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, right))
}

// knownClasses are what AWS names, and what others took over; tried where none are configured.
func knownClasses() []Class {
	return []Class{
		{Name: "STANDARD"}, {Name: "STANDARD_IA", MinDays: 30}, {Name: "GLACIER_IR", MinDays: 90},
		{Name: "GLACIER", MinDays: 90, Archive: true}, {Name: "DEEP_ARCHIVE", MinDays: 180, Archive: true},
	}
}

// storageClasses puts an object in each class and looks what became of it.
func (pr *probe) storageClasses(ctx context.Context) {
	configured := len(pr.o.Classes) > 0
	candidates := pr.o.Classes
	if !configured {
		candidates = knownClasses()
	}
	seen := make([]ClassProfile, len(candidates))
	why := make([]string, len(candidates))
	var all sync.WaitGroup
	for i, class := range candidates {
		all.Go(func() {
			seen[i] = ClassProfile{Class: class}
			key := pr.key("class-" + string(class.Name))
			header := types.StorageClass(class.Name)
			if class.Name == pr.p.defaultClass {
				header = ""
			}
			if _, err := pr.api.PutObject(ctx, &s3.PutObjectInput{Bucket: &pr.o.Bucket, Key: key, Body: bytes.NewReader(pattern(10)), StorageClass: header}, pr.plain); err != nil {
				why[i] = failure(ctx, "put", "", err).Error()
				return
			}
			head, err := pr.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &pr.o.Bucket, Key: key})
			if err != nil {
				why[i] = failure(ctx, "head", "", err).Error()
				return
			}
			seen[i].Got = className(string(head.StorageClass))
			seen[i].Works = seen[i].Got == class.Name
			why[i] = fmt.Sprintf("a put in it is accepted and Head then shows %q", seen[i].Got)
		})
	}
	all.Wait()
	pr.p.SelfDescribingClasses = true
	var missing []string
	for i, c := range seen {
		if c.Works {
			pr.p.Classes = append(pr.p.Classes, c)
			continue
		}
		pr.p.SelfDescribingClasses = pr.p.SelfDescribingClasses && c.Got == "" // refused is honest, ignored is not
		missing = append(missing, string(c.Name))
		if configured {
			pr.p.Classes = append(pr.p.Classes, c)
			pr.p.find(LevelRefuse, fmt.Sprintf("the server does not honour the configured storage class %q: %s", c.Name, why[i]),
				"take the class out of the configuration, or set it up at the server")
		}
	}
	if !configured && len(missing) > 0 {
		pr.p.find(LevelNote, "storage classes not offered: "+strings.Join(missing, ", "), "")
	}
	if len(pr.p.Classes) == 0 {
		pr.p.find(LevelRefuse, fmt.Sprintf("new objects are in class %q, which is none of those known", pr.p.defaultClass), "name the classes in the configuration")
	}
}

// classes returns those that can be used, hot to cold.
func (pr *probe) classes() []Class {
	var list []Class
	for _, c := range pr.p.Classes {
		list = append(list, c.Class)
	}
	return list
}

// copies finds whether the server copies, to another class, and without overwriting.
func (pr *probe) copies(ctx context.Context) {
	name := "body-" + pr.p.Checksums
	from := (&Store{o: pr.o}).copySource(strings.TrimPrefix(pr.base, pr.o.Prefix) + name)
	size := int64(3000)
	to := pr.key("copy")
	copyTo := func(to *string, class types.StorageClass, alone bool) (*s3.HeadObjectOutput, error) {
		if _, err := pr.api.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &pr.o.Bucket, Key: to, CopySource: from, StorageClass: class, IfNoneMatch: ifNew(alone)}, pr.plain); err != nil {
			return nil, err
		}
		return pr.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &pr.o.Bucket, Key: to})
	}
	head, err := copyTo(to, types.StorageClass(pr.p.defaultClass), false)
	pr.p.Copy = err == nil && aws.ToInt64(head.ContentLength) == size
	if !pr.p.Copy {
		pr.p.find(LevelWarn, "the server does not copy objects: moves between classes are not possible", "give the credentials permission to copy (read and write under the prefix)")
		return
	}
	// A new key must still be taken with the condition, and a taken one refused.
	_, fresh := copyTo(pr.key("copy-fresh"), types.StorageClass(pr.p.defaultClass), true)
	_, taken := copyTo(to, types.StorageClass(pr.p.defaultClass), true)
	pr.p.CreateOnlyCopy = fresh == nil && lostRace(taken)
	for _, c := range pr.p.Classes {
		if c.Works && c.Name != pr.p.defaultClass {
			head, err := copyTo(pr.key("copy-class"), types.StorageClass(c.Name), false)
			pr.p.CopyToClass = err == nil && className(string(head.StorageClass)) == c.Name
			break
		}
	}
	if !pr.p.Multipart {
		return
	}
	key := pr.key("copy-parts")
	created, err := pr.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &pr.o.Bucket, Key: key}, pr.plain)
	if err != nil {
		return
	}
	pr.mu.Lock()
	pr.uploads[*created.UploadId] = *key
	pr.mu.Unlock()
	part, err := pr.api.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: &pr.o.Bucket, Key: key, UploadId: created.UploadId, PartNumber: aws.Int32(1), CopySource: from, CopySourceRange: aws.String(fmt.Sprintf("bytes=0-%d", size-1)),
	}, pr.plain)
	pr.p.copyInParts = err == nil && part.CopyPartResult != nil && aws.ToString(part.CopyPartResult.ETag) != ""
}

// restore finds whether the server knows RestoreObject: on an object in a hot class it answers with any refusal but "not implemented".
func (pr *probe) restore(ctx context.Context) {
	_, err := pr.api.RestoreObject(ctx, &s3.RestoreObjectInput{
		Bucket: &pr.o.Bucket, Key: aws.String(pr.base + "body-" + pr.p.Checksums), RestoreRequest: &types.RestoreRequest{Days: aws.Int32(1)},
	}, pr.plain)
	code, status := codeOf(err)
	pr.p.Restore = err == nil || code == "InvalidObjectState" || code == "RestoreAlreadyInProgress" || code == "OperationNotSupported"
	if status == 403 && code != "InvalidObjectState" {
		pr.p.find(LevelWarn, "restores are not permitted to these credentials", "give them permission for s3:RestoreObject if archive classes are to be used")
	}
	for i := range pr.p.Classes {
		c := &pr.p.Classes[i]
		switch {
		case pr.p.Restore || !c.Archive:
		case len(pr.o.Classes) == 0:
			c.Archive = false // its name is borrowed: where nothing can be restored, nothing must be
		default:
			pr.p.find(LevelRefuse, fmt.Sprintf("class %q is configured as an archive and the server cannot restore (it said %d %s)", c.Name, status, code),
				"if the server reads such objects without a restore, configure the class without archive; else do not use it")
		}
	}
}

// listing finds whether pages come in byte order, and removes what killed probes left.
func (pr *probe) listing(ctx context.Context) {
	pages := pager{api: pr.api, bucket: pr.o.Bucket, prefix: pr.o.Prefix + reservedPrefix, pageKeys: 10}
	found := 0
	for o, err := range pages.objects(ctx, func(err error) error { return failure(ctx, "list", "", err) }) {
		if err != nil {
			pr.p.find(LevelRefuse, "objects cannot be listed: "+err.Error(), "give the credentials permission to list the bucket; a server that lists in another order cannot be used")
			return
		}
		key := aws.ToString(o.Key)
		if strings.HasPrefix(key, pr.base) {
			found++
		} else if o.LastModified != nil && time.Since(*o.LastModified) > probeLife {
			pr.keys = append(pr.keys, key)
		}
	}
	if found < 3 || !slices.Contains(pr.keys, pr.base+"race") {
		pr.p.find(LevelRefuse, "a listing leaves out objects that were just put", "this server's listings are not up to date; it cannot be used")
	}
}
