package main

import (
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"
)

func TestStepsFollowEachOther(t *testing.T) {
	for n := int64(0); n < 1<<20; n++ {
		if s := step(n); n > top(s) || s > 0 && n <= top(s-1) {
			t.Fatalf("%d is counted at %d, which holds %d to %d", n, s, top(s-1)+1, top(s))
		}
	}
	if s := step(math.MaxInt64); top(s) != math.MaxInt64 || s >= 64*steps {
		t.Fatalf("the longest time is counted at %d, up to %d", s, top(s))
	}
}

func TestTellsWhatASortedListTells(t *testing.T) {
	h, random := &histogram{}, rand.New(rand.NewSource(1))
	times := make([]int64, 100_000)
	for i := range times {
		times[i] = int64(math.Exp(random.Float64() * 23)) // up to ten seconds, each magnitude as often
		h.add(time.Duration(times[i]))
	}
	slices.Sort(times)
	for _, q := range []float64{0.5, 0.99, 0.999, 1} {
		want := times[int(math.Ceil(q*float64(len(times))))-1]
		if got := int64(h.at(q)); got < want || float64(got) > float64(want)*(1+1.0/steps)+1 {
			t.Errorf("%v of the times are within %d, and it tells %d", q, want, got)
		}
	}
	if h.total() != int64(len(times)) || h.quantiles().Max != rounded(float64(times[len(times)-1])/1e6) {
		t.Errorf("%d times, the longest %v ms", h.total(), h.quantiles().Max)
	}
}

func TestMergedHistogramsAreOne(t *testing.T) {
	one, two := &histogram{}, &histogram{}
	one.add(time.Millisecond)
	two.add(time.Second)
	one.merge(two)
	if one.total() != 2 || one.at(1) != time.Second {
		t.Errorf("%d times up to %v", one.total(), one.at(1))
	}
}

func TestNothingCountedTellsNothing(t *testing.T) {
	if q := new(histogram).quantiles(); q != nil {
		t.Errorf("%v", *q)
	}
}
