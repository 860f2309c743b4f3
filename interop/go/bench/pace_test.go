package main

import (
	"testing"
	"time"
)

func TestRecordsAreDueEvenlyForYears(t *testing.T) {
	s := schedule{rate: 3}
	for record, want := range map[int64]time.Duration{
		0: 0, 1: 333_333_333, 2: 666_666_666, 3: time.Second, 3_000_000_001: 1_000_000_000*time.Second + 333_333_333,
	} {
		if got := s.due(record); got != want {
			t.Errorf("record %d is due after %v, not %v", record, got, want)
		}
	}
}

func TestNoneIsSentBeforeItIsDueAndAllAreSent(t *testing.T) {
	s := schedule{begin: time.Now(), rate: 100_000}
	next := int64(1)
	s.pace(1, 2, 1000, func(record int64, due, now time.Duration) {
		if record != next || now < due || time.Since(s.begin) < now {
			t.Errorf("record %d instead of %d, %v before it was due", record, next, due-time.Since(s.begin))
		}
		next += 2
	})
	if next != 1001 {
		t.Errorf("the last was %d", next-2)
	}
}

func TestAStallIsInTheTimes(t *testing.T) {
	s := schedule{begin: time.Now().Add(-time.Second), rate: 100} // a hundred are due already
	worst := time.Duration(0)
	s.pace(0, 1, 100, func(_ int64, due, now time.Duration) { worst = max(worst, now-due) })
	if worst < time.Second {
		t.Errorf("a second's stall is told as %v", worst)
	}
}
