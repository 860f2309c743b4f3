package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// ballast holds memory that cannot be paged out, so that less is left for the page cache, until stdin ends. It needs the right
// to lock so much (RLIMIT_MEMLOCK).
func ballast(_ context.Context, o *options) (*report, error) {
	m, err := o.start()
	if err != nil {
		return nil, err
	}
	held, err := unix.Mmap(-1, 0, o.megabytes<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("%d MB: %w", o.megabytes, err)
	}
	defer unix.Munmap(held)
	if err := unix.Mlock(held); err != nil {
		return nil, fmt.Errorf("%d MB cannot be locked: %w", o.megabytes, err)
	}
	r := &report{Verb: "ballast", Bytes: int64(o.megabytes) << 20}
	if r.Seconds, r.costs, err = m.stop(); err != nil {
		return nil, err
	}
	return nil, r.hold()
}
