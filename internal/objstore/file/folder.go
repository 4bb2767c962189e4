package file

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Folders are opened part by part, each relative to the one before and without
// following links, so that no name in the tree can lead out of it.

var (
	// errNoFolder: nothing is at this place, so nothing is below it.
	errNoFolder = errors.New("no such folder")
	// errBelowObject: an object is where a folder of the key would be.
	errBelowObject = errors.New("a part of the key is itself an object")
	// errLink: a symbolic link or another odd file is in the way; whoever put it there must remove it.
	errLink = errors.New("a symbolic link or special file is in the way; the store does not follow it, replace it by what it points to")
)

const openDirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

func openAt(parent int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(parent, name, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func statAt(parent int, name string) (st unix.Stat_t, err error) {
	for {
		err = unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.EINTR {
			return st, err
		}
	}
}

func fileType(st *unix.Stat_t) uint32 { return uint32(st.Mode) & unix.S_IFMT }

// openDirAt opens the directory name in parent.
func openDirAt(parent int, name string) (int, error) {
	fd, err := openAt(parent, name, openDirFlags, 0)
	switch err {
	case nil:
		return fd, nil
	case unix.ENOENT:
		return -1, errNoFolder
	case unix.ENOTDIR, unix.ELOOP:
		st, statErr := statAt(parent, name)
		switch {
		case statErr == unix.ENOENT:
			return -1, errNoFolder
		case statErr != nil:
			return -1, statErr
		case fileType(&st) == unix.S_IFREG:
			return -1, errBelowObject
		}
		return -1, errLink
	}
	return -1, err
}

// makeDirAt opens the directory name in parent and makes it if there is none. It does not sync.
func makeDirAt(parent int, name string) (int, error) {
	for {
		fd, err := openDirAt(parent, name)
		if err != errNoFolder {
			return fd, err
		}
		// Somebody may make it at the same time, and somebody may remove it again: hence the loop.
		if err := unix.Mkdirat(parent, name, folderMode); err != nil && err != unix.EEXIST && err != unix.EINTR {
			return -1, err
		}
	}
}

// openFolder opens a folder of a class, "" being the class's own directory. The caller closes it.
func (s *Store) openFolder(class int, folder string) (int, error) {
	fd, err := openDirAt(s.dirs[class].fd(), ".")
	if err != nil || folder == "" {
		return fd, err
	}
	for part := range strings.SplitSeq(folder, "/") {
		next, err := openDirAt(fd, part)
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

// madeFolder is an open folder, with the folders above it in which a name may not be durable yet.
type madeFolder struct {
	fd       int
	unsynced []unsyncedName
}

type unsyncedName struct {
	parent int // open
	id     folderID
	inode  uint64
}

func (m *madeFolder) close() {
	unix.Close(m.fd)
	for _, u := range m.unsynced {
		unix.Close(u.parent)
	}
}

// makeFolder opens a folder of a class and makes what is missing of it. The
// names on the way that this store has not synced yet, no matter who made
// them, are left to syncMade: the time in which Clean may take an empty folder away is short without syncs.
func (s *Store) makeFolder(class int, folder string) (*madeFolder, error) {
	fd, err := openDirAt(s.dirs[class].fd(), ".")
	m := &madeFolder{fd: fd}
	if err != nil || folder == "" {
		return m, err
	}
	end := 0
	for part := range strings.SplitSeq(folder, "/") {
		end += len(part)
		next, err := makeDirAt(m.fd, part)
		var st unix.Stat_t
		if err == nil {
			if err = unix.Fstat(next, &st); err != nil {
				unix.Close(next)
			}
		}
		if err != nil {
			m.close()
			return nil, err
		}
		if id := (folderID{class, folder[:end]}); s.synced.has(id, st.Ino) {
			unix.Close(m.fd)
		} else {
			m.unsynced = append(m.unsynced, unsyncedName{m.fd, id, st.Ino})
		}
		m.fd = next
		end++ // the slash
	}
	return m, nil
}

// syncMade makes the names in a folder, and of the folders on the way to it, durable.
func (s *Store) syncMade(m *madeFolder) error {
	for _, u := range m.unsynced {
		if err := syncFolder(u.parent); err != nil {
			return err
		}
		s.synced.add(u.id, u.inode)
	}
	return syncFolder(m.fd)
}

// makeSynced opens the directory name in parent, and makes it durably if there is none.
func (s *Store) makeSynced(parent int, name string, id folderID) (int, error) {
	fd, err := makeDirAt(parent, name)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && !s.synced.has(id, st.Ino) {
		if err = syncFolder(parent); err == nil {
			s.synced.add(id, st.Ino)
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// syncFolder makes the names in a directory durable, where the file system knows how to.
func syncFolder(fd int) error {
	for {
		switch err := unix.Fsync(fd); err {
		case unix.EINTR:
		case unix.EINVAL, unix.ENOTSUP:
			return nil // network file systems whose servers do it unasked
		case nil:
			return nil
		default:
			return fmt.Errorf("sync a folder: %w", err)
		}
	}
}

// splitKey returns the folder and the last part of a key.
func splitKey(key string) (folder, name string) {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i], key[i+1:]
	}
	return "", key
}

type folderID struct {
	class  int
	folder string
}

// folderSet remembers folders whose names were synced, so that a put into a
// known folder syncs only that one. Inode numbers tell a folder from its namesake made after Clean removed it.
type folderSet struct {
	mu    sync.Mutex
	inode map[folderID]uint64
}

// maxFolders bounds the memory of a folderSet to a few MB; forgetting costs a sync each.
const maxFolders = 1 << 14

func (f *folderSet) has(id folderID, inode uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.inode[id]
	return ok && known == inode
}

func (f *folderSet) add(id folderID, inode uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inode == nil || len(f.inode) >= maxFolders {
		f.inode = make(map[folderID]uint64)
	}
	id.folder = strings.Clone(id.folder)
	f.inode[id] = inode
}

// forget makes every folder be synced again.
func (f *folderSet) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inode = nil
}
