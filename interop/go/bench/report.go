package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"
)

// report is what a verb tells at its end. Keys that do not apply are absent.
type report struct {
	Verb        string   `json:"verb"`
	Records     int64    `json:"records,omitempty"`
	Bytes       int64    `json:"bytes,omitempty"` // of the records' values
	Connections int      `json:"open,omitempty"`
	Free        *float64 `json:"free_mb,omitempty"` // memory that nobody uses, after fill
	Seconds     float64  `json:"seconds"`
	*costs
	Ack      *quantiles `json:"ack_ms,omitempty"`        // from when a record was due to its acknowledgement
	EndToEnd *quantiles `json:"end_to_end_ms,omitempty"` // from when a record was due until a reader had it
	Late     *quantiles `json:"late_ms,omitempty"`       // from when a record was due until it was given to the client
	Missing  *int64     `json:"missing,omitempty"`       // records that a reader did not get, summed over the readers
	Doubled  *int64     `json:"doubled,omitempty"`       // records that a reader got again
	Failed   *int64     `json:"failed,omitempty"`        // records that were not acknowledged
	First    string     `json:"first_error,omitempty"`
}

func (r *report) print() error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(line))
	return err
}

// whole is the error that work was left undone, if it was. A verb that has told its report already returns none.
func (r *report) whole() error {
	if r == nil {
		return nil
	}
	for what, count := range map[string]*int64{"missing": r.Missing, "doubled": r.Doubled, "not acknowledged": r.Failed} {
		if count != nil && *count > 0 {
			return fmt.Errorf("%d records %s; first error: %q", *count, what, r.First)
		}
	}
	return nil
}

// untilStdinEnds is how verbs that hold something know that it is enough.
func untilStdinEnds() {
	buffer := make([]byte, 4096)
	for {
		if n, err := os.Stdin.Read(buffer); err != nil || n == 0 {
			return
		}
	}
}

// patient waits until `done`, and gives up when there was no progress for so long.
func patient(patience time.Duration, progress func() int64, done <-chan struct{}) error {
	last, since := progress(), time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-tick.C:
		}
		if now := progress(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > patience {
			return errors.New("nothing came for " + patience.String())
		}
	}
}

func rounded(f float64) float64 { return math.Round(f*1e4) / 1e4 }
