//go:build !linux

package main

import (
	"errors"
	"fmt"
)

func diskOf(string) (disk, error) {
	return disk{}, fmt.Errorf("free space: %w", errors.ErrUnsupported)
}

func namelessWorks(string, string) bool { return false }
