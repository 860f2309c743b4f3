package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A schedule says when each record is due: the i-th at begin + i/rate, whatever became of those before it. A producer that
// falls behind sends what is due at once, and its records' times still run from when they were due (an open loop): a stall
// of the broker, or of the generator, is in the time of every record that it kept waiting.
type schedule struct {
	begin time.Time
	rate  int64 // records a second
}

// due is when the record is due, after the beginning.
func (s schedule) due(record int64) time.Duration {
	// Whole seconds apart, so that nothing overflows and no error adds up.
	return time.Duration(record/s.rate)*time.Second + time.Duration(record%s.rate*int64(time.Second)/s.rate)
}

// napMin is the shortest time to sleep: above 20,000 records a second some are due together.
const napMin = 50 * time.Microsecond

// glance is how many records are sent between two looks at the clock, while it is behind.
const glance = 16

// pace calls `send` for records first, first+step, ... below `end`, none before it is due, with the time that it is.
func (s schedule) pace(first, step, end int64, send func(record int64, due, now time.Duration)) {
	// Go's own timers are up to a millisecond late, the kernel's for this thread are not.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const slackNanoseconds = 1
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, slackNanoseconds, 0, 0, 0) // without it they are 50 µs late
	now := time.Since(s.begin)
	for record, sent := first, 0; record < end; record, sent = record+step, sent+1 {
		due := s.due(record)
		if sent%glance == 0 {
			now = time.Since(s.begin)
		}
		for now < due {
			nap := unix.NsecToTimespec(int64(max(due-now, napMin)))
			_ = unix.Nanosleep(&nap, nil) // interrupted is too early, and asked again
			now = time.Since(s.begin)
		}
		send(record, due, now)
	}
}
