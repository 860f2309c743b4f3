package main

import (
	"encoding/binary"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sequenceBytes of a value are the record's number, so that a reader knows which it has and when it was due.
const sequenceBytes = 8

// payload is what values are made of. With a codec half of each is noise and half is repeated, which compresses about two to
// one, and no two within a window of `poolBytes` are the same; without one all are.
type payload struct {
	values [][]byte
	next   int
}

const poolBytes = 8 << 20

func (o *options) payload(seed int64) *payload {
	count := 1
	if o.codec != "none" {
		count = max(poolBytes/o.size, 1)
	}
	noise, p := rand.New(rand.NewSource(seed)), &payload{}
	for range count {
		value := make([]byte, o.size)
		noise.Read(value)
		for i := o.size / 2; i < o.size; i++ {
			value[i] = 'a' + byte(i%7)
		}
		p.values = append(p.values, value)
	}
	return p
}

func (p *payload) value() []byte {
	p.next = (p.next + 1) % len(p.values)
	return p.values[p.next]
}

// tally counts what became of records, from any thread.
type tally struct {
	done   atomic.Int64
	failed atomic.Int64
	first  atomic.Pointer[error]
}

func (t *tally) count(err error) {
	if err != nil {
		t.failed.Add(1)
		t.first.CompareAndSwap(nil, &err)
	}
	t.done.Add(1)
}

func (t *tally) into(r *report) {
	failed := t.failed.Load()
	r.Failed = &failed
	if first := t.first.Load(); first != nil {
		r.First = (*first).Error()
	}
}

// numbered is a record with its number, its own value, and what is done when it is acknowledged. They are used again and
// again, so that sending allocates nothing.
type numbered struct {
	record kgo.Record
	value  []byte
	due    time.Duration
	number int64
	done   func(*kgo.Record, error)
}

// pool of numbered records; `acknowledged` is called for each before it goes back. Those that nobody reads need no number in
// them, and no value of their own.
func (o *options) pool(read bool, acknowledged func(*numbered, error)) *sync.Pool {
	pool := &sync.Pool{}
	pool.New = func() any {
		n := &numbered{}
		if read {
			n.value = make([]byte, o.size)
		}
		n.done = func(_ *kgo.Record, err error) {
			acknowledged(n, err)
			pool.Put(n)
		}
		return n
	}
	return pool
}

// fill gives the record its number and a fresh body.
func (n *numbered) fill(o *options, p *payload, number int64, due time.Duration) {
	value := p.value()
	if n.value != nil {
		copy(n.value, value)
		value = n.value
		binary.BigEndian.PutUint64(value, uint64(number))
	}
	n.number, n.due = number, due
	n.record = kgo.Record{Value: value, Partition: int32(number % int64(o.partitions))}
}
