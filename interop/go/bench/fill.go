package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// The file that fill reads is all hole: so large that hardly a page of an earlier fill is met again.
	holeBytes = 1 << 40
	// What is read at once. It stays in the processor's cache.
	gulp = 256 << 10
)

const (
	// Once all was read, this much more at a time is, while too much is free,
	stepBytes = 1 << 30
	// and so often at most.
	stepsMax = 4
)

// fill has the page cache full of clean pages that were used a moment ago, by reading a hole: as much as is free and as the
// page cache holds, so that every page of it was taken anew, and again while more is free than the kernel keeps free by
// itself. What writes next takes such pages from the end of the kernel's list, and finds none that the machine below has
// given to others. Not much more than -megabytes are read. The file stays in -dir, for to delete it would free the pages.
func fill(_ context.Context, o *options) (*report, error) {
	m, err := o.start()
	if err != nil {
		return nil, err
	}
	name := filepath.Join(o.dir, "hole")
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := file.Truncate(holeBytes); err != nil {
		return nil, err
	}
	enough, err := keptFree()
	if err != nil {
		return nil, err
	}
	free, cached, err := spare()
	if err != nil {
		return nil, err
	}
	r := &report{Verb: "fill", Bytes: min(free+cached, int64(o.megabytes)<<20)}
	if err := readAnew(file, r.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for range stepsMax {
		// If it may not read all, all will not be full.
		if free, _, err = spare(); err != nil || free <= enough || r.Bytes>>20 >= int64(o.megabytes) {
			break
		}
		if err := readAnew(file, stepBytes); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r.Bytes += stepBytes
	}
	if err != nil {
		return nil, err
	}
	left := rounded(float64(free) / 1e6)
	r.Free = &left
	r.Seconds, r.costs, err = m.stop()
	return r, err
}

// readAnew reads so much of the hole, from somewhere in it.
func readAnew(file *os.File, bytes int64) error {
	from := rand.Int64N(holeBytes-bytes-gulp) / gulp * gulp
	buffer := make([]byte, gulp)
	for read := int64(0); read < bytes; {
		n, err := file.ReadAt(buffer, from+read)
		if err != nil {
			return err
		}
		read += int64(n)
	}
	return nil
}

// spare is the memory that is free, and the memory that the page cache holds and could lose, in bytes.
func spare() (free, cached int64, err error) {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	found := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		var sum *int64
		switch name {
		case "MemFree":
			sum = &free
		case "Active(file)", "Inactive(file)":
			sum = &cached
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		*sum += kib << 10
		found++
	}
	if found != 3 {
		return 0, 0, errors.New("/proc/meminfo does not tell MemFree, Active(file) and Inactive(file)")
	}
	return free, cached, nil
}

// keptFree is twice what the kernel keeps free by itself: the sum of all zones' high watermarks, in bytes. It frees in steps,
// and so is rarely just there.
func keptFree() (int64, error) {
	text, err := os.ReadFile("/proc/zoneinfo")
	if err != nil {
		return 0, err
	}
	pages := int64(0)
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "high" {
			high, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil {
				return 0, err
			}
			pages += high
		}
	}
	return 2 * pages * int64(os.Getpagesize()), nil
}
