// Package servers gives tests real servers: Ceph RGW, versitygw, PostgreSQL, redis-server in four shapes, and Orthanc.
//
// The first three are shared by all tests. scripts/dev/up starts them and
// prints their addresses as variables of the environment, which scripts/test
// sets for every test; a test shares nothing in them, because it makes a bucket or
// a database of its own. Redis servers and Orthanc are children of the test and private to
// it, since tests stop, kill and restart them; they die with the test process,
// however it ends (on Linux), and are stopped at the test's end.
//
// A server that cannot be had skips the test, with the command that would
// start it. Nothing here is for use outside of tests.
package servers

import (
	"os"
	"testing"
)

// S3 says where an S3 server is and how to sign for it. It is addressed by path.
type S3 struct{ Endpoint, AccessKey, SecretKey, Region string }

// RGW returns the shared Ceph RADOS Gateway. Its classes are STANDARD,
// STANDARD_IA, GLACIER_IR, GLACIER and DEEP_ARCHIVE, all of which can be read
// at once; lifecycle rules run with days of 10 s.
func RGW(t testing.TB) S3 {
	t.Helper()
	return s3(t, "RADTIER_TEST_RGW")
}

// Versitygw returns the shared versitygw. It has no storage classes, and is
// strict about checksums and conditions.
func Versitygw(t testing.TB) S3 {
	t.Helper()
	return s3(t, "RADTIER_TEST_VERSITYGW")
}

func s3(t testing.TB, variable string) S3 {
	t.Helper()
	return S3{Endpoint: address(t, variable), AccessKey: "test", SecretKey: "testtest", Region: "us-east-1"}
}

// address is the value of a variable that scripts/dev/up prints; without it the test is skipped.
func address(t testing.TB, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Skipf(`%s is not set: run ./scripts/test, or eval "$(scripts/dev/up DIR)" before go test`, variable)
	}
	return value
}
