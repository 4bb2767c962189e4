package file

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
)

const (
	crashRootEnv    = "RADTIER_TEST_CRASH_ROOT"
	crashRoundEnv   = "RADTIER_TEST_CRASH_ROUND"
	crashVariantEnv = "RADTIER_TEST_CRASH_VARIANT"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(crashRootEnv); root != "" {
		crashChild(root)
		return
	}
	os.Exit(m.Run())
}

// crashChild puts, copies and deletes objects until it is killed, and prints a
// line for each call that has returned. The size and the bytes of an object follow from its key.
func crashChild(root string) {
	variant, _ := strconv.Atoi(os.Getenv(crashVariantEnv))
	s, err := Open(root, variants[variant].opts)
	if err != nil {
		fmt.Println("fail", err)
		return
	}
	var out sync.Mutex
	say := func(what, key string, err error) {
		out.Lock()
		defer out.Unlock()
		if err != nil {
			fmt.Println("fail", what, key, err)
			return
		}
		fmt.Println(what, key)
	}
	ctx := context.Background()
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("r%s/w%d/%d/k", os.Getenv(crashRoundEnv), w, i)
				seed, size := crashSource(key)
				class := s.classes[i%len(s.classes)]
				opts := objstore.PutOptions{Class: class.Name, Size: -1}
				_, err := s.Put(ctx, key, storetest.Pattern(seed, size), opts)
				say("put", key, err)
				switch {
				case i%4 == 1 && !class.Archive:
					_, err := s.Copy(ctx, key, key+".copy", s.classes[(i+1)%len(s.classes)].Name)
					say("put", key+".copy", err)
				case i%4 == 3:
					say("deleting", key, nil)
					say("deleted", key, s.Delete(ctx, key))
				}
			}
		}()
	}
	select {}
}

func crashSource(key string) (seed uint64, size int64) {
	sum := sha256.Sum256([]byte(strings.TrimSuffix(key, ".copy")))
	return uint64(sum[0]) + 1, int64(sum[1])<<11 + int64(sum[2]) // up to 512 KiB
}

func TestKilledAtRandomMoments(t *testing.T) {
	const kills = 30
	if testing.Short() {
		t.Skip("30 child processes; run without -short")
	}
	roots := make([]string, len(variants))
	for v := range roots {
		roots[v] = t.TempDir()
	}
	random := rand.New(rand.NewPCG(1, 2))
	acked := 0
	for round := range kills {
		v := round % len(variants)
		wait := time.Duration(random.IntN(40_000)) * time.Microsecond
		acks := killedRun(t, roots[v], v, round, random.IntN(40)+1, wait)
		acked += len(acks)
		checkAfterCrash(t, roots[v], v, acks)
	}
	t.Logf("%d kills, %d acknowledged calls checked", kills, acked)
}

// killedRun runs a child and kills it a random time after its n-th line. It returns what became of each key it spoke of.
func killedRun(t *testing.T, root string, variant, round, n int, wait time.Duration) map[string]string {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), crashRootEnv+"="+root, fmt.Sprintf("%s=%d", crashRoundEnv, round), fmt.Sprintf("%s=%d", crashVariantEnv, variant))
	child.Stderr = os.Stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	state := make(map[string]string)
	lines := bufio.NewReader(stdout)
	for i := 1; ; i++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // killed; a line without its end was not said
		}
		what, key, _ := strings.Cut(strings.TrimSpace(line), " ")
		if what == "fail" {
			t.Errorf("round %d: child: %s", round, line)
		}
		state[key] = what
		if i == n {
			time.AfterFunc(wait, func() { _ = child.Process.Kill() })
		}
	}
	_ = child.Wait()
	if len(state) < n/3 {
		t.Errorf("round %d: the child ended by itself after %d calls", round, len(state))
	}
	return state
}

// checkAfterCrash opens the store as a restart does: each key holds a whole object, and what was acknowledged is true.
func checkAfterCrash(t *testing.T, root string, variant int, acks map[string]string) {
	t.Helper()
	s, err := Open(root, variants[variant].opts)
	if err != nil {
		t.Fatalf("open after a crash: %v", err)
	}
	defer s.Close()
	if _, err := s.Clean(t.Context(), 0); err != nil {
		t.Errorf("clean after a crash: %v", err)
	}
	there := make(map[string]bool)
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatalf("list after a crash: %v", err)
		}
		there[info.Key] = true
		checkWhole(t, root, info)
	}
	for key, what := range acks {
		switch {
		case what == "put" && !there[key]:
			t.Errorf("%s: its put had returned, and it is gone", key)
		case what == "deleted" && there[key]:
			t.Errorf("%s: its delete had returned, and it is there", key)
		}
	}
}

// checkWhole reads the file itself, since archived objects are not readable through the store.
func checkWhole(t *testing.T, root string, info objstore.Info) {
	t.Helper()
	f, err := os.Open(root + "/" + string(info.Class) + "/" + info.Key)
	if err != nil {
		t.Errorf("%s: %v", info.Key, err)
		return
	}
	defer f.Close()
	seed, size := crashSource(info.Key)
	want, got := sha256.New(), sha256.New()
	_, _ = io.Copy(want, storetest.Pattern(seed, size))
	n, err := io.Copy(got, f)
	if err != nil || n != size || info.Size != size || hex.EncodeToString(want.Sum(nil)) != hex.EncodeToString(got.Sum(nil)) {
		t.Errorf("%s: got %d bytes with SHA-256 %x, %v, want %d with %x", info.Key, n, got.Sum(nil), err, size, want.Sum(nil))
	}
	if info.SHA256 != [32]byte{} && [32]byte(want.Sum(nil)) != info.SHA256 {
		t.Errorf("%s: remembers the wrong SHA-256 %x, want %x", info.Key, info.SHA256, want.Sum(nil))
	}
}
