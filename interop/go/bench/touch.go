package main

import (
	"context"
	"os"
)

// touch writes a file and deletes it, so that the machine has memory for its page cache at hand: on a virtual machine the first
// use of a page that was not used lately costs several times the second, and who is measured first would pay for all.
func touch(_ context.Context, o *options) (*report, error) {
	m, err := o.start()
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(o.dir, "touch")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	block := make([]byte, 1<<20)
	for range o.megabytes {
		if _, err := file.Write(block); err != nil {
			return nil, err
		}
	}
	r := &report{Verb: "touch", Bytes: int64(o.megabytes) << 20}
	r.Seconds, r.costs, err = m.stop()
	return r, err
}
