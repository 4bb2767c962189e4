package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// fileSystems are the kinds that matter to somebody who puts objects or a database there, by statfs's magic number.
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	unix.NFS_SUPER_MAGIC: "nfs", unix.SMB_SUPER_MAGIC: "smb", unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "smb2", unix.FUSE_SUPER_MAGIC: "fuse",
	unix.F2FS_SUPER_MAGIC: "f2fs", unix.V9FS_MAGIC: "9p", 0x2fc12fc1: "zfs", unix.CEPH_SUPER_MAGIC: "ceph",
}

func diskOf(path string) (disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return disk{}, err
	}
	block := int64(st.Bsize)
	kind, ok := fileSystems[int64(st.Type)]
	if !ok {
		kind = fmt.Sprintf("%#x", st.Type)
	}
	return disk{Kind: kind, Free: int64(st.Bavail) * block, Total: int64(st.Blocks) * block, FreeFiles: int64(st.Ffree), Files: int64(st.Files)}, nil
}

// namelessWorks reports whether files without a name can be made in a directory and named afterwards.
func namelessWorks(dir, name string) bool {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	path := dir + "/" + name
	if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err != nil {
		return false
	}
	return os.Remove(path) == nil
}
