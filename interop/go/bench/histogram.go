package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram counts times. It takes the same memory however many there are, and nothing is allocated while it counts, so
// that the generator's garbage is not in the figures. Each power of two is divided into equal steps: what it tells is at
// most 1/128 above the truth, and never below it.
type histogram struct {
	counts [64 * steps]atomic.Int64
	max    atomic.Int64
}

// steps is into how many a power of two is divided.
const (
	stepBits = 7
	steps    = 1 << stepBits
)

// quantiles are times in milliseconds.
type quantiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// add counts one time; one below zero counts as none.
func (h *histogram) add(d time.Duration) {
	n := max(int64(d), 0)
	h.counts[step(n)].Add(1)
	for {
		old := h.max.Load()
		if n <= old || h.max.CompareAndSwap(old, n) {
			return
		}
	}
}

// step is where a number of nanoseconds is counted: the number itself below `steps`; from there on its power of two and the
// bits that follow the highest.
func step(n int64) int {
	if n < steps {
		return int(n)
	}
	shift := bits.Len64(uint64(n)) - 1 - stepBits
	return (shift+1)*steps + int(n>>shift) - steps
}

// top is the largest number that is counted there.
func top(step int) int64 {
	if step < steps {
		return int64(step)
	}
	shift := step/steps - 1
	return (int64(step%steps+steps)+1)<<shift - 1
}

// merge adds what another counted.
func (h *histogram) merge(other *histogram) {
	for i := range other.counts {
		h.counts[i].Add(other.counts[i].Load())
	}
	h.max.Store(max(h.max.Load(), other.max.Load()))
}

func (h *histogram) total() (n int64) {
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// at is the time that the share `q` of all did not exceed: the smallest with at least q * total not above it.
func (h *histogram) at(q float64) time.Duration {
	wanted, seen := q*float64(h.total()), int64(0)
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen > 0 && float64(seen) >= wanted {
			return time.Duration(min(top(i), h.max.Load()))
		}
	}
	return 0
}

// quantiles is nothing when nothing was counted.
func (h *histogram) quantiles() *quantiles {
	if h.total() == 0 {
		return nil
	}
	ms := func(d time.Duration) float64 { return rounded(float64(d) / 1e6) }
	return &quantiles{P50: ms(h.at(.5)), P99: ms(h.at(.99)), P999: ms(h.at(.999)), Max: ms(time.Duration(h.max.Load()))}
}
