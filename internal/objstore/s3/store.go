package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

// Store is one bucket, or the part of it under a prefix. It is safe for
// concurrent use. Use [Open].
type Store struct {
	o       Options
	conn    *connection
	api     *s3.Client
	profile Profile
	classes tiers.Classes
}

var _ objstore.Store = (*Store)(nil)

// Open connects to a bucket and probes it. Errors: an *UnsafeError if the bucket
// must not be used as it is, a *ConfigError, and what [objstore.IsTransient] says may pass by itself.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.ReadOnly {
		return openToRead(ctx, o)
	}
	s, err := inspect(ctx, o)
	if err != nil {
		return nil, err
	}
	if refused := s.profile.refused(); len(refused) > 0 {
		s.conn.close()
		return nil, &UnsafeError{Findings: refused}
	}
	return s, nil
}

// openToRead only looks whether the bucket is there.
func openToRead(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	o.Create = false
	if len(o.Classes) == 0 {
		o.Classes = knownClasses()
	}
	s := &Store{o: o, profile: Profile{Endpoint: o.Endpoint, Bucket: o.Bucket, ProbedAt: o.Now()}, classes: tierClasses(o.Classes)}
	if err := s.reach(ctx); err != nil {
		return nil, err
	}
	opts := s.api.Options()
	setChecksums(&opts, ChecksumsNone)
	s.api = s3.New(opts)
	return s, nil
}

// mayWrite refuses what changes the bucket in a store that was opened for reading.
func (s *Store) mayWrite(op, key string) error {
	if s.o.ReadOnly {
		return fmt.Errorf("%s %s: the bucket was opened for reading only: %w", op, key, objstore.ErrUnsupported)
	}
	return nil
}

// Close gives back idle connections. Calls that are under way go on.
func (s *Store) Close() error {
	s.conn.close()
	return nil
}

// Profile returns what the probe of [Open] found.
func (s *Store) Profile() Profile { return s.profile }

// Capabilities implements objstore.Store by what the probe saw. Checksum is
// never set: S3 has no SHA-256 of objects that were put in parts.
func (s *Store) Capabilities() objstore.Capabilities {
	p := s.profile
	return objstore.Capabilities{
		CreateOnly: p.CreateOnlyPut && p.CreateOnlyMultipart && (p.CreateOnlyCopy || p.copyInParts || !p.Copy),
		Copy:       p.Copy,
		Restore:    p.Restore && s.classes.HasArchive(),
		PutBytes:   s.o.PartBytes * int64(s.o.Concurrency+2), Classes: s.classes.Names(),
	}
}

// reservedPrefix is where the probe works; List leaves it out.
const reservedPrefix = "radtier-probe/"

// tokenName is the metadata entry by which a put recognises its own object.
const tokenName = "radtier-put"

func (s *Store) fullKey(key string) *string { return aws.String(s.o.Prefix + key) }

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (objstore.Info, error) {
	if err := objstore.CheckKey(key); err != nil {
		return objstore.Info{}, err
	}
	head, err := s.head(ctx, "head", key)
	return head.Info, err
}

// headed is an object's Info with what only puts look at.
type headed struct {
	objstore.Info
	token string // of the put that made it; empty if the server lost it
	crc64 string // CRC-64/NVME of the whole object, base64, if the server keeps one
}

func (s *Store) head(ctx context.Context, op, key string) (headed, error) {
	in := &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: s.fullKey(key)}
	if s.profile.WholeObjectChecksum {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	out, err := s.api.HeadObject(ctx, in)
	if err != nil {
		return headed{}, failure(ctx, op, key, err)
	}
	h := headed{
		Info:  s.info(key, aws.ToInt64(out.ContentLength), out.LastModified, string(out.StorageClass), aws.ToString(out.ETag), aws.ToString(out.Restore)),
		token: out.Metadata[tokenName],
	}
	if out.ChecksumType != types.ChecksumTypeComposite {
		h.crc64 = aws.ToString(out.ChecksumCRC64NVME)
	}
	return h, nil
}

func (s *Store) info(key string, size int64, modified *time.Time, class, etag, restore string) objstore.Info {
	info := objstore.Info{Key: key, Size: size, Modified: aws.ToTime(modified), Class: className(class), Version: cleanETag(etag)}
	if i, err := s.classes.Index(info.Class); err == nil && s.classes[i].Archive {
		info.Restore = parseRestore(restore, s.o.Now())
		info.Restore.Archived = true
	}
	return info
}

// className names the class that S3 leaves out of its replies.
func className(class string) objstore.Class {
	if class == "" {
		return objstore.Class(types.StorageClassStandard)
	}
	return objstore.Class(class)
}

func cleanETag(etag string) string { return strings.Trim(etag, `"`) }

// parseRestore reads an x-amz-restore header, such as
// ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT".
// A copy that has expired by the caller's clock is not reported.
func parseRestore(header string, now time.Time) objstore.RestoreState {
	var state objstore.RestoreState
	if strings.Contains(header, `ongoing-request="true"`) {
		state.Ongoing = true
		return state
	}
	if _, rest, ok := strings.Cut(header, `expiry-date="`); ok {
		date, _, _ := strings.Cut(rest, `"`)
		if until, err := http.ParseTime(date); err == nil && now.Before(until) {
			state.Until = until
		}
	}
	return state
}

// Delete implements objstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := objstore.CheckKey(key); err != nil {
		return err
	}
	if err := s.mayWrite("delete", key); err != nil {
		return err
	}
	_, err := s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.o.Bucket, Key: s.fullKey(key)})
	if err = failure(ctx, "delete", key, err); errors.Is(err, objstore.ErrNotFound) {
		return nil
	}
	return err
}

// Restore implements objstore.Store; of an object in no archive class it changes
// nothing.
func (s *Store) Restore(ctx context.Context, key string, days int, speed objstore.Speed) error {
	if err := objstore.CheckKey(key); err != nil {
		return err
	}
	if !s.Capabilities().Restore {
		return fmt.Errorf("restore %s: this bucket has no archive classes that can be restored: %w", key, objstore.ErrUnsupported)
	}
	if err := tiers.CheckDays(days); err != nil {
		return err
	}
	head, err := s.head(ctx, "restore", key)
	if err != nil {
		return err
	}
	if !head.Restore.Archived || head.Restore.Ongoing {
		return nil
	}
	ask := &types.RestoreRequest{Days: aws.Int32(int32(days))}
	if speed != objstore.Standard {
		ask.GlacierJobParameters = &types.GlacierJobParameters{Tier: types.Tier(speed)}
	}
	_, err = s.api.RestoreObject(ctx, &s3.RestoreObjectInput{Bucket: &s.o.Bucket, Key: s.fullKey(key), RestoreRequest: ask})
	if err = failure(ctx, "restore", key, err); errors.Is(err, errRestoring) {
		return nil
	}
	return err
}
