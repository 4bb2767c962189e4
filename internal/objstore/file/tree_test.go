package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

func put(s *Store, key, data string, class objstore.Class) error {
	_, err := s.Put(context.Background(), key, strings.NewReader(data), objstore.PutOptions{Class: class, Size: int64(len(data))})
	return err
}

func mustPut(t testing.TB, s *Store, key, data string, class objstore.Class) {
	t.Helper()
	if err := put(s, key, data, class); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func keys(t testing.TB, s *Store) []string {
	t.Helper()
	got := []string{}
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		got = append(got, info.Key)
	}
	return got
}

func TestLayout(t *testing.T) {
	root := filepath.Join(t.TempDir(), "made", "by", "open")
	s := openAtRoot(t, root, Options{Classes: threeTiers})
	mustPut(t, s, "t/kn/pack.zip", "hot bytes", "HOT")
	mustPut(t, s, "t/kn/cold.zip", "cold bytes", "DEEP")
	for path, want := range map[string]string{"HOT/t/kn/pack.zip": "hot bytes", "DEEP/t/kn/cold.zip": "cold bytes"} {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
		if st, err := os.Stat(filepath.Join(root, path)); err != nil || st.Mode().Perm()&0o222 != 0 {
			t.Errorf("%s: got mode %v, %v, want one that nobody may write", path, st.Mode(), err)
		}
	}
	put, _ := s.Head(t.Context(), "t/kn/cold.zip")
	if got, want := s.MinimumUntil(put), put.Modified.AddDate(0, 0, 180); !got.Equal(want) {
		t.Errorf("minimum duration of DEEP: got %v, want %v", got, want)
	}
	if _, err := Open(filepath.Join(root, "HOT/t/kn/pack.zip"), Options{}); err == nil {
		t.Error("opening a file as a store: got nil, want an error")
	}
	if _, err := Open(t.TempDir(), Options{Classes: tiers.Classes{{Name: "../x"}}}); err == nil {
		t.Error("a class that leads elsewhere: got nil, want an error")
	}
}

// snapshot returns every path below dir with its content.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			fmt.Fprintln(&all, path)
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintln(&all, path, string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestNothingOutsideTheRoot(t *testing.T) {
	dir := t.TempDir()
	root, outside := filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{"outside", "root/HOT/real"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "victim"), []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"root/HOT/dirlink": outside, "root/HOT/filelink": filepath.Join(outside, "victim"), "root/HOT/dangling": filepath.Join(outside, "made"),
		"root/HOT/inner": filepath.Join(root, "HOT", "real"), "root/HOT/real/deep": "../../../outside", "root/HOT/~tmp": outside,
	} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(root, "HOT", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, noNameless := range []bool{false, true} {
		s := openAtRoot(t, root, Options{Classes: threeTiers, noNameless: noNameless})
		before := snapshot(t, outside)
		for _, key := range []string{"dirlink/x", "dirlink/victim", "dirlink/a/b", "filelink", "dangling", "inner/x", "real/deep/x", "real/deep/victim", "pipe"} {
			if err := put(s, key, "evil", "HOT"); err == nil {
				t.Errorf("put %s: got nil, want an error", key)
			}
			if err := s.Delete(t.Context(), key); err == nil {
				t.Errorf("delete %s: got nil, want an error", key)
			}
			if _, err := objstore.ReadAll(t.Context(), s, key, 100); !errors.Is(err, errLink) {
				t.Errorf("read %s: got %v, want %v", key, err, errLink)
			}
		}
		for _, key := range []string{"../outside/victim", "real/../../../outside/victim"} {
			if err := s.Delete(t.Context(), key); err == nil {
				t.Errorf("delete %s: got nil, want an error", key)
			}
		}
		if noNameless {
			if err := put(s, "by-way-of-tmp", "x", "HOT"); !errors.Is(err, errLink) {
				t.Errorf("put with ~tmp a link: got %v, want %v", err, errLink)
			}
		}
		if _, err := s.Clean(t.Context(), -time.Hour); err == nil {
			t.Error("clean with ~tmp a link: got nil, want an error")
		}
		if got := keys(t, s); len(got) != 0 {
			t.Errorf("list follows links: got %q", got)
		}
		if after := snapshot(t, outside); after != before {
			t.Errorf("outside changed:\nbefore\n%safter\n%s", before, after)
		}
	}
	if err := os.Symlink(outside, filepath.Join(root, "WARM")); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(root, Options{Classes: tiers.Classes{{Name: "WARM"}}}); err == nil {
		s.Close()
		t.Error("a class directory that is a link: got nil, want an error")
	}
}

func TestNoKeyBelowAnother(t *testing.T) {
	s := openAtRoot(t, t.TempDir(), Options{Classes: threeTiers})
	mustPut(t, s, "a/b/c", "x", "HOT")
	for _, key := range []string{"a", "a/b", "a/b/c/d", "a/b/c/d/e"} {
		for _, class := range []objstore.Class{"HOT", "COOL"} {
			if err := put(s, key, "x", class); !errors.Is(err, objstore.ErrUnsupported) {
				t.Errorf("put %s in %s beside a/b/c: got %v, want ErrUnsupported", key, class, err)
			}
		}
	}
	var keyErr *objstore.KeyError
	if err := put(s, "lost+found/x", "x", ""); !errors.As(err, &keyErr) {
		t.Errorf("put lost+found/x: got %v, want a *KeyError", err)
	}
	mustPut(t, s, "a/lost+found", "x", "")
}

func TestChecksumIsRightOrMissing(t *testing.T) {
	for _, noAttributes := range []bool{false, true} {
		root := t.TempDir()
		s := openAtRoot(t, root, Options{noAttributes: noAttributes})
		mustPut(t, s, "d/k", "the right bytes", "")
		path := filepath.Join(root, "STANDARD/d/k")
		put, err := s.Head(t.Context(), "d/k")
		if err != nil || put.SHA256 == [32]byte{} {
			t.Fatalf("head: got %+v, %v, want a checksum", put, err)
		}
		// Other hands change the bytes, keeping their number.
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("the wrong bytes"), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := s.Head(t.Context(), "d/k")
		if err != nil || got.SHA256 != [32]byte{} || got.Version == put.Version {
			t.Errorf("no attributes %v: changed by other hands: got %+v, %v, want no checksum and another version", noAttributes, got, err)
		}
		// A copy computes anew what is not known.
		copied, err := s.Copy(t.Context(), "d/k", "d/k2", "")
		if err != nil || copied.SHA256 == [32]byte{} || copied.SHA256 == put.SHA256 {
			t.Errorf("no attributes %v: copy: got %+v, %v, want the checksum of the changed bytes", noAttributes, copied, err)
		}
		// Lost sidecars and attributes are missing checksums, nothing else.
		if noAttributes {
			err = os.RemoveAll(filepath.Join(root, internalDir, string(sumSidecar)))
		} else {
			err = unix.Removexattr(filepath.Join(root, "STANDARD/d/k2"), sumAttribute)
		}
		if err != nil {
			t.Fatal(err)
		}
		if lost, err := s.Head(t.Context(), "d/k2"); err != nil || lost.SHA256 != [32]byte{} || lost.Size != 15 {
			t.Errorf("no attributes %v: record lost: got %+v, %v, want size 15 and no checksum", noAttributes, lost, err)
		}
	}
}

func TestSidecarsGoWithTheirObject(t *testing.T) {
	root := t.TempDir()
	s := openAtRoot(t, root, Options{Classes: threeTiers, noAttributes: true})
	mustPut(t, s, "d/k", "x", "DEEP")
	if err := s.Restore(t.Context(), "d/k", 1, ""); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		for _, kind := range []sidecarKind{sumSidecar, restoreSidecar} {
			found, err := filepath.Glob(filepath.Join(root, internalDir, string(kind), "*", "*"))
			if err != nil {
				t.Fatal(err)
			}
			n += len(found)
		}
		return n
	}
	if got := count(); got != 2 {
		t.Errorf("sidecars of an archived, restored object: got %d, want 2", got)
	}
	if err := s.Delete(t.Context(), "d/k"); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 0 {
		t.Errorf("sidecars after delete: got %d, want 0", got)
	}
}

func TestDamagedRestoreRecordMeansNone(t *testing.T) {
	root := t.TempDir()
	classes := tiers.Classes{{Name: "HOT"}, {Name: "DEEP", Archive: true}}
	s := openAtRoot(t, root, Options{Classes: classes})
	mustPut(t, s, "k", "x", "DEEP")
	if err := s.Restore(t.Context(), "k", 1, ""); err != nil { // no delay: ready at once
		t.Fatal(err)
	}
	if _, err := objstore.ReadAll(t.Context(), s, "k", 1); err != nil {
		t.Fatalf("read a restored object: %v", err)
	}
	sub, name := sidecarName("k")
	if err := os.WriteFile(filepath.Join(root, internalDir, string(restoreSidecar), sub, name), []byte(`{"ready":"20`), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := objstore.ReadAll(t.Context(), s, "k", 1); !errors.Is(err, objstore.ErrArchived) {
		t.Errorf("read with a damaged record: got %v, want ErrArchived", err)
	}
	if err := s.Restore(t.Context(), "k", 1, ""); err != nil {
		t.Errorf("restore with a damaged record: %v", err)
	}
	if _, err := objstore.ReadAll(t.Context(), s, "k", 1); err != nil {
		t.Errorf("read after asking again: %v", err)
	}
}

func TestStaleTemps(t *testing.T) {
	root := t.TempDir()
	s := openAtRoot(t, root, Options{noNameless: true, noAttributes: true})
	mustPut(t, s, "d/k", "x", "")
	temps := filepath.Join(root, "STANDARD", tempDir)
	old, young := filepath.Join(temps, "OLD"), filepath.Join(temps, "YOUNG")
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("half"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	longAgo := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s); len(got) != 1 || got[0] != "d/k" {
		t.Errorf("list: got %q, want d/k alone", got)
	}
	exists := func(path string) bool { _, err := os.Lstat(path); return err == nil }
	openAtRoot(t, root, Options{})
	if exists(old) || !exists(young) {
		t.Errorf("after Open: old %v, young %v, want only the young one", exists(old), exists(young))
	}
	sub, _ := sidecarName("d/k")
	half := filepath.Join(root, internalDir, string(sumSidecar), sub, "HALF~")
	if err := os.WriteFile(half, []byte("half"), 0o640); err != nil {
		t.Fatal(err)
	}
	done, err := s.Clean(t.Context(), 0)
	if err != nil || done.Temps != 2 || exists(young) || exists(half) {
		t.Errorf("Clean: got %+v, %v, want two temps gone", done, err)
	}
	info, err := s.Head(t.Context(), "d/k")
	if err != nil || info.SHA256 == [32]byte{} {
		t.Errorf("head after Clean: got %+v, %v, want the object and its checksum", info, err)
	}
}

func TestCleanPrunesEmptyFolders(t *testing.T) {
	root := t.TempDir()
	s := openAtRoot(t, root, Options{})
	mustPut(t, s, "a/b/c/gone", "x", "")
	mustPut(t, s, "a/stays", "x", "")
	if err := s.Delete(t.Context(), "a/b/c/gone"); err != nil {
		t.Fatal(err)
	}
	if done, err := s.Clean(t.Context(), time.Hour); err != nil || done.Folders != 0 {
		t.Errorf("Clean of what is older than an hour: got %+v, %v, want nothing", done, err)
	}
	if err := put(s, "a/b", "x", ""); !errors.Is(err, objstore.ErrUnsupported) {
		t.Errorf("put over an empty folder: got %v, want ErrUnsupported", err)
	}
	if done, err := s.Clean(t.Context(), 0); err != nil || done.Folders != 2 {
		t.Errorf("Clean: got %+v, %v, want 2 folders", done, err)
	}
	mustPut(t, s, "a/b", "now free", "")
	if got := keys(t, s); len(got) != 2 {
		t.Errorf("list: got %q", got)
	}
}

// Puts, deletes and Clean fight over the same folders; no put may fail and none may be lost.
func TestCleanBesidePuts(t *testing.T) {
	root := t.TempDir()
	s := openAtRoot(t, root, Options{})
	other := openAtRoot(t, root, Options{}) // another process, as far as locks and caches go
	stop := make(chan struct{})
	var cleaners, putters sync.WaitGroup
	for _, c := range []*Store{s, other} {
		cleaners.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Clean(t.Context(), 0); err != nil {
					t.Errorf("clean: %v", err)
					return
				}
			}
		})
	}
	for w := range 4 {
		putters.Go(func() {
			for i := range 30 {
				key := fmt.Sprintf("f%d/g/h/k%d-%d", i%2, w, i)
				if err := put(s, key, "x", ""); err != nil {
					t.Errorf("put %s: %v", key, err)
					return
				}
				if _, err := other.Head(t.Context(), key); err != nil {
					t.Errorf("head %s after its put: %v", key, err)
				}
				if i < 29 {
					if err := s.Delete(t.Context(), key); err != nil {
						t.Errorf("delete %s: %v", key, err)
					}
				}
			}
		})
	}
	putters.Wait()
	close(stop)
	cleaners.Wait()
	if got := keys(t, s); len(got) != 4 {
		t.Errorf("list: got %q, want the last key of each of 4 writers", got)
	}
}

// Two stores over one root are what two processes are: they share nothing but the file system.
func TestTwoProcessesRaceOverClasses(t *testing.T) {
	for _, v := range variants[1:] {
		root := t.TempDir()
		v.opts.Classes = threeTiers
		stores := []*Store{openAtRoot(t, root, v.opts), openAtRoot(t, root, v.opts)}
		for round := range 20 {
			key := fmt.Sprintf("r/%d", round)
			var won [8]bool
			var all sync.WaitGroup
			for i := range won {
				all.Go(func() {
					err := put(stores[i%2], key, strings.Repeat("x", i+1), threeTiers[i%3].Name)
					won[i] = err == nil
					if err != nil && !errors.Is(err, objstore.ErrExists) {
						t.Errorf("%s: round %d: %v", v.name, round, err)
					}
				})
			}
			all.Wait()
			winners := 0
			for i, w := range won {
				if w {
					winners++
					info, err := stores[0].Head(t.Context(), key)
					if err != nil || info.Size != int64(i+1) || info.SHA256 == [32]byte{} {
						t.Errorf("%s: round %d: got %+v, %v, want the winner's %d bytes and a checksum", v.name, round, info, err, i+1)
					}
				}
			}
			if winners != 1 {
				t.Errorf("%s: round %d: %d winners, want 1", v.name, round, winners)
			}
		}
	}
}

func TestFullDiskIsTransient(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EMFILE, unix.ESTALE} {
		if err := wrap("put", "k", fmt.Errorf("write: %w", &os.PathError{Op: "write", Err: errno})); !objstore.IsTransient(err) || !errors.Is(err, errno) {
			t.Errorf("%v: got %v, want a transient error", errno, err)
		}
	}
	if err := wrap("put", "k", unix.EIO); objstore.IsTransient(err) {
		t.Errorf("EIO: got %v, want no transient error", err)
	}
}

func TestFailedPutsLeaveNoFiles(t *testing.T) {
	for _, noNameless := range []bool{false, true} {
		root := t.TempDir()
		s := openAtRoot(t, root, Options{noNameless: noNameless})
		mustPut(t, s, "taken", "x", "")
		before := snapshot(t, filepath.Join(root, "STANDARD"))
		if !noNameless && strings.Contains(before, tempDir+"/") {
			t.Errorf("a probe was left behind:\n%s", before)
		}
		_ = put(s, "taken", "y", "")
		_, _ = s.Put(t.Context(), "short", bytes.NewReader(nil), objstore.PutOptions{Size: 1})
		_, _ = s.Put(t.Context(), "wrong", storetest.Pattern(1, 10), objstore.PutOptions{Size: 10, SHA256: [32]byte{1}})
		if after := snapshot(t, filepath.Join(root, "STANDARD")); after != before {
			t.Errorf("nameless %v: failed puts left something:\nbefore\n%safter\n%s", !noNameless, before, after)
		}
	}
}

func TestPutIntoARemovedStoreFails(t *testing.T) {
	root := t.TempDir()
	s := openAtRoot(t, root, Options{})
	mustPut(t, s, "a/b", "x", "")
	if err := os.RemoveAll(filepath.Join(root, "STANDARD")); err != nil {
		t.Fatal(err)
	}
	if err := put(s, "a/c", "x", ""); err == nil {
		t.Error("put after the class directory was removed: got nil, want an error")
	}
}
