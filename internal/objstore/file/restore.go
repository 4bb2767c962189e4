package file

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

// restoreRecord is a sidecar in JSON. Size and time of change say which object it is of.
type restoreRecord struct {
	tiers.Restore
	Key  string `json:"key"`
	Size int64  `json:"size"`
	Time int64  `json:"modified_ns"`
}

// restoreOf returns the zero value if no restore of this very object was asked for.
func (s *Store) restoreOf(key string, st *unix.Stat_t) (tiers.Restore, error) {
	data, err := s.readSidecar(restoreSidecar, key)
	if err != nil {
		return tiers.Restore{}, fmt.Errorf("read the restore state: %w", err)
	}
	var rec restoreRecord
	// A damaged record means that the restore must be asked for again.
	if data == nil || json.Unmarshal(data, &rec) != nil || rec.Key != key || rec.Size != st.Size || rec.Time != st.Mtim.Nano() {
		return tiers.Restore{}, nil
	}
	return rec.Restore, nil
}

// Restore of an object that is in no archive class changes nothing and is no error.
func (s *Store) Restore(ctx context.Context, key string, days int, _ objstore.Speed) error {
	if !s.classes.HasArchive() {
		return fmt.Errorf("restore %s: no archive classes: %w", key, objstore.ErrUnsupported)
	}
	if err := tiers.CheckDays(days); err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return err
	}
	unlock, err := s.lock(key)
	if err != nil {
		return wrap("restore", key, err)
	}
	defer unlock()
	f, info, err := s.open(ctx, "restore", key)
	if err != nil {
		return err
	}
	defer f.Close()
	class, err := s.classes.Index(info.Class)
	if err != nil || !s.classes[class].Archive {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return wrap("restore", key, err)
	}
	old, err := s.restoreOf(key, &st)
	if err != nil {
		return wrap("restore", key, err)
	}
	next := old.Ask(s.clock(), s.classes[class], days)
	if next == old {
		return nil
	}
	data, err := json.Marshal(restoreRecord{Restore: next, Key: key, Size: st.Size, Time: st.Mtim.Nano()})
	if err != nil {
		return wrap("restore", key, err)
	}
	if err := s.writeSidecar(restoreSidecar, key, data); err != nil {
		return wrap("restore", key, err)
	}
	return nil
}
