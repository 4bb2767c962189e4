package file

import (
	"crypto/rand"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openNameless makes a file without a name on the file system of dir (O_TMPFILE, Linux 3.11).
func openNameless(dir int) (*os.File, error) {
	fd, err := openAt(dir, ".", unix.O_TMPFILE|unix.O_RDWR, objectMode)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "nameless"), nil
}

// linkNameless names the file by way of /proc: linking a bare descriptor needs a privilege on most kernels.
func linkNameless(f *os.File, folder int, name string) error {
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), folder, name, unix.AT_SYMLINK_FOLLOW)
}

// namelessWorks tries it: some file systems (NFS, older overlayfs) have no
// O_TMPFILE, and some containers have no /proc.
func namelessWorks(dir int) bool {
	f, err := openNameless(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	folder, err := makeDirAt(dir, tempDir)
	if err != nil {
		return false
	}
	defer unix.Close(folder)
	name := rand.Text()
	if err := linkNameless(f, folder, name); err != nil {
		return false
	}
	err = unix.Unlinkat(folder, name, 0)
	return err == nil || err == unix.ENOENT // a Clean of everything was faster
}

// reflink lets dst share the blocks of src where the file system can (btrfs, XFS).
func reflink(dst, src *os.File) bool {
	return unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil
}
