package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/radtier/radtier/internal/objstore"
)

// bucket reads what the bucket does by itself: rules, versions and locks.
func (pr *probe) bucket(ctx context.Context) {
	pr.lifecycle(ctx)
	pr.versioning(ctx)
	pr.objectLock(ctx)
}

// unread reports a setting that could not be read. A server that does not know it has none.
func (pr *probe) unread(err error, what, permission, risk string) (none bool) {
	if errors.Is(err, errNothing) || errors.Is(err, objstore.ErrUnsupported) || errors.Is(err, objstore.ErrNotFound) {
		return true
	}
	var config *ConfigError
	if errors.As(err, &config) {
		pr.p.find(LevelWarn, fmt.Sprintf("the bucket's %s may not be read with these credentials: %s", what, risk),
			fmt.Sprintf("give them permission for %s, or look yourself", permission))
		return false
	}
	pr.p.find(LevelWarn, fmt.Sprintf("the bucket's %s could not be read (%v): %s", what, err, risk), "look yourself, or try again")
	return false
}

func (pr *probe) lifecycle(ctx context.Context) {
	out, err := pr.api.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &pr.o.Bucket})
	if err != nil {
		pr.unread(failure(ctx, "read lifecycle rules", "", err), "lifecycle rules", "s3:GetLifecycleConfiguration", "a rule of the bucket might delete or move our objects")
		return
	}
	aborts := false
	for _, r := range out.Rules {
		if r.Status != types.ExpirationStatusEnabled {
			continue
		}
		rule := readRule(r)
		if !strings.HasPrefix(rule.Prefix, pr.o.Prefix) && !strings.HasPrefix(pr.o.Prefix, rule.Prefix) {
			continue
		}
		pr.p.Lifecycle = append(pr.p.Lifecycle, rule)
		aborts = aborts || strings.Contains(rule.Action, abortAction)
		switch what := fmt.Sprintf("lifecycle rule %q (prefix %q) would %s", rule.ID, rule.Prefix, rule.Action); {
		case rule.harmful && rule.Tagged:
			pr.p.find(LevelWarn, what+" objects with certain tags; radtier sets no tags", "make sure that nobody tags these objects, or take our prefix out of the rule")
		case rule.harmful:
			pr.p.find(LevelRefuse, what+" our objects after "+fmt.Sprint(rule.Days)+" days, without regard to holds and to what is proven elsewhere",
				"delete the rule or give it a prefix that does not overlap ours: here radtier alone deletes and moves")
		}
	}
	if aborts {
		pr.p.find(LevelOK, "a lifecycle rule aborts unfinished uploads: it helps the sweep", "")
	}
}

const abortAction = "abort unfinished uploads"

// readRule puts a rule into words. Actions on noncurrent versions are left out: without versions there are none.
func readRule(r types.LifecycleRule) LifecycleRule {
	rule := LifecycleRule{ID: aws.ToString(r.ID), Prefix: aws.ToString(r.Prefix)} //nolint:staticcheck // old rules have their prefix here
	if f := r.Filter; f != nil {
		rule.Prefix += aws.ToString(f.Prefix)
		rule.Tagged = f.Tag != nil
		if f.And != nil {
			rule.Prefix += aws.ToString(f.And.Prefix)
			rule.Tagged = rule.Tagged || len(f.And.Tags) > 0
		}
	}
	var actions []string
	add := func(action string, days *int32, harmful bool) {
		actions = append(actions, action)
		rule.harmful = rule.harmful || harmful
		if rule.Days == 0 {
			rule.Days = int(aws.ToInt32(days))
		}
	}
	if e := r.Expiration; e != nil && (e.Days != nil || e.Date != nil) {
		add("expire", e.Days, true)
	}
	for _, t := range r.Transitions {
		add("transition to "+string(t.StorageClass), t.Days, true)
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		add(abortAction, a.DaysAfterInitiation, false)
	}
	rule.Action = strings.Join(actions, ", ")
	return rule
}

func (pr *probe) versioning(ctx context.Context) {
	out, err := pr.api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &pr.o.Bucket})
	pr.p.Versioning = "off"
	switch {
	case err != nil:
		if !pr.unread(failure(ctx, "read versioning", "", err), "versioning", "s3:GetBucketVersioning", "with versions, what is deleted stays and is billed") {
			pr.p.Versioning = "unknown"
		}
	case out.Status == types.BucketVersioningStatusEnabled:
		pr.p.Versioning = string(out.Status)
		pr.p.find(LevelRefuse, "the bucket keeps versions: a deletion only hides an object, its bytes and their cost stay, and erasure would be untrue",
			"use a bucket that never had versioning switched on")
	case out.Status == types.BucketVersioningStatusSuspended:
		pr.p.Versioning = string(out.Status)
		pr.p.find(LevelRefuse, "the bucket's versioning is suspended: older versions stay and are billed, and a deletion leaves a marker",
			"use a bucket that never had versioning switched on")
	}
}

func (pr *probe) objectLock(ctx context.Context) {
	out, err := pr.api.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &pr.o.Bucket})
	pr.p.ObjectLock = "off"
	switch {
	case err != nil:
		if !pr.unread(failure(ctx, "read object lock", "", err), "object lock", "s3:GetBucketObjectLockConfiguration", "locked objects could not be swept") {
			pr.p.ObjectLock = "unknown"
		}
	case out.ObjectLockConfiguration == nil || out.ObjectLockConfiguration.ObjectLockEnabled != types.ObjectLockEnabledEnabled:
	case out.ObjectLockConfiguration.Rule != nil && out.ObjectLockConfiguration.Rule.DefaultRetention != nil:
		pr.p.ObjectLock = "default retention"
		pr.p.find(LevelRefuse, "the bucket locks each new object for a default retention: nothing could be swept or moved before it ends",
			"remove the default retention, or use another bucket; holds are radtier's own records")
	default:
		pr.p.ObjectLock = "on"
		pr.p.find(LevelNote, "object lock is on, without a default retention", "")
	}
}
