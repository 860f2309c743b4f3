// Package cases holds what the Go clients send and expect back: the records, the comparison, the verdict.
//
// Not a client: those are the mains in franz and sarama beside it. The Python and Java clients have the same cases in
// their own language.
package cases

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"time"
)

// Partitions of every topic.
const Partitions = 3

// Limit is how long any single wait may take before it counts as a failure.
const Limit = 60 * time.Second

// Header is one header; a Value of nil is null on the wire.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record as all clients can express it; nil is null, not empty.
type Record struct {
	Key, Value []byte
	Headers    []Header
	Timestamp  int64
}

// Placed is a record at its offset.
type Placed struct {
	Offset int64
	Record Record
}

// Log is what stands in each partition, by rising offset.
type Log map[int32][]Placed

// Records gives one record of every kind, then enough small ones to fill several batches.
func Records() []Record {
	base := time.Now().Add(-time.Hour).UnixMilli()
	noise := make([]byte, 900_000)
	rand.New(rand.NewSource(base)).Read(noise)
	headers := []Header{
		{"twice", []byte("1")}, {"twice", []byte("2")}, {"empty", []byte{}}, {"ünicode", []byte("世")}, {"null", nil},
	}
	out := []Record{
		{Key: []byte("key"), Value: []byte("value")},
		{Value: []byte("no key")},
		{Key: []byte("no value")},
		{},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("headers"), Value: []byte("value"), Headers: headers},
		{Key: []byte("large"), Value: noise, Headers: []Header{{"size", []byte("900000")}}},
	}
	for i := range 1000 {
		out = append(out, Record{
			Key:     fmt.Appendf(nil, "key-%d", i%17),
			Value:   bytes.Repeat(fmt.Appendf(nil, "value-%d ", i), i%50),
			Headers: []Header{{"i", fmt.Appendf(nil, "%d", i)}},
		})
	}
	for i := range out {
		out[i].Timestamp = base + int64(i)
	}
	return out
}

// Topic makes a name that no earlier run used, so that a broker with a past can be tested too.
func Topic(client, what string) string {
	return fmt.Sprintf("interop-%s-%s-%08x", client, what, rand.Uint32())
}

// Checks counts what was compared.
type Checks struct{ count int }

// Equal fails unless the two are equal.
func Equal[T comparable](c *Checks, what string, expected, got T) {
	c.True(expected == got, "%s: expected %v, got %v", what, expected, got)
}

// True fails with the message unless `holds`.
func (c *Checks) True(holds bool, message string, values ...any) {
	c.count++
	if !holds {
		Fail(message, values...)
	}
}

// SameLog compares what was acknowledged with what was fetched, and if `ordered` both with the order of sending.
//
// A producer without idempotence may overtake itself when it has to send a batch again.
func (c *Checks) SameLog(what string, ordered bool, sent, fetched Log) {
	for p := range int32(Partitions) {
		expected, got := slices.Clone(sent[p]), fetched[p]
		slices.SortFunc(expected, func(a, b Placed) int { return int(a.Offset - b.Offset) })
		for i := range min(len(expected), len(got)) {
			c.Same(fmt.Sprintf("%s partition %d", what, p), expected[i], got[i])
			Equal(c, what+" offset", int64(i), got[i].Offset)
			c.True(!ordered || i == 0 || got[i-1].Record.Timestamp < got[i].Record.Timestamp,
				"%s partition %d offset %d: not in the order of sending", what, p, i)
		}
		Equal(c, fmt.Sprintf("%s partition %d number of records", what, p), len(expected), len(got))
	}
}

// Same compares two records at their offsets, null and empty being different.
func (c *Checks) Same(what string, expected, got Placed) {
	a, b := expected.Record, got.Record
	same := expected.Offset == got.Offset && a.Timestamp == b.Timestamp && sameBytes(a.Key, b.Key) &&
		sameBytes(a.Value, b.Value) && slices.EqualFunc(a.Headers, b.Headers, func(x, y Header) bool {
		return x.Key == y.Key && sameBytes(x.Value, y.Value)
	})
	c.True(same, "%s: expected %s, got %s", what, expected, got)
}

func sameBytes(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}

func (p Placed) String() string {
	headers := ""
	for _, h := range p.Record.Headers {
		headers += h.Key + "=" + short(h.Value) + " "
	}
	return fmt.Sprintf("offset %d key %s value %s headers [%s] timestamp %d",
		p.Offset, short(p.Record.Key), short(p.Record.Value), headers, p.Record.Timestamp)
}

func short(field []byte) string {
	switch {
	case field == nil:
		return "null"
	case len(field) > 40:
		return fmt.Sprintf("%d bytes %q...", len(field), field[:20])
	}
	return fmt.Sprintf("%q", field)
}

var name = "?"

// Main names the client for the verdict and returns the bootstrap address.
func Main(client string) string {
	name = client
	if len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: %s HOST:PORT\n", os.Args[0])
		os.Exit(2)
	}
	return os.Args[1]
}

// Done says that all went well.
func (c *Checks) Done() {
	fmt.Printf("ok %s %d checks\n", name, c.count)
}

// Fail says what differs and ends the program.
func Fail(message string, values ...any) {
	fmt.Printf("FAILED %s: %s\n", name, fmt.Sprintf(message, values...))
	os.Exit(1)
}

// Must fails with `what` if there is an error.
func Must(err error, what string) {
	if err != nil {
		Fail("%s: %v", what, err)
	}
}
