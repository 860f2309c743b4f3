package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// openLoop is one run: producers that send at a rate whatever happens, and readers at the tail.
type openLoop struct {
	o     *options
	at    schedule
	total int64 // records of it, those of the warm-up too
	skip  int64 // of the warm-up

	sent                 tally
	ack, endToEnd, late  histogram
	seen, doubled, alien atomic.Int64
}

// latency has -producers send at -rate and -readers read at the tail. All times run from when a record was due.
func latency(ctx context.Context, o *options) (*report, error) {
	return loop(ctx, o, "latency", o.readers)
}

// paced is the same without a reader.
func paced(ctx context.Context, o *options) (*report, error) { return loop(ctx, o, "paced", 0) }

func loop(ctx context.Context, o *options, verb string, readers int) (*report, error) {
	if err := o.create(ctx); err != nil {
		return nil, err
	}
	ends, err := o.offsets(ctx, true)
	if err != nil {
		return nil, err
	}
	o.prepare()
	l := &openLoop{o: o, total: o.rate * int64(o.warm+o.seconds), skip: o.rate * int64(o.warm)}
	producing, reading, err := l.clients(ctx, ends, readers)
	if err != nil {
		return nil, err
	}
	for _, client := range append(producing, reading...) {
		defer client.Close()
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	if err := o.settle(); err != nil {
		return nil, err
	}
	var work sync.WaitGroup
	l.at = schedule{begin: time.Now().Add(200 * time.Millisecond), rate: o.rate}
	for _, client := range reading {
		work.Go(func() { l.read(ctx, client) })
	}
	for k, client := range producing {
		work.Go(func() { l.send(ctx, client, int64(k), readers > 0) })
	}
	all := make(chan struct{})
	go func() {
		work.Wait()
		close(all)
	}()
	time.Sleep(time.Until(l.at.begin.Add(time.Duration(o.warm) * time.Second)))
	m, err := o.measure()
	if err != nil {
		return nil, err
	}
	stuck := patient(o.patience, func() int64 { return l.sent.done.Load() + l.seen.Load() }, all)
	return l.report(verb, readers, m, stuck)
}

// clients opens all connections and asks something of each, so that none is opened while it is measured.
func (l *openLoop) clients(ctx context.Context, ends map[string]map[int32]kgo.Offset, readers int) (producing, reading []*kgo.Client, err error) {
	for range l.o.producers {
		client, err := l.o.producer()
		if err == nil {
			err = client.Ping(ctx)
		}
		if err != nil {
			return nil, nil, err
		}
		producing = append(producing, client)
	}
	for range readers {
		client, err := l.o.reader(ends, kgo.FetchMaxWait(500*time.Millisecond), kgo.FetchMinBytes(1))
		if err == nil {
			err = client.Ping(ctx)
		}
		if err != nil {
			return nil, nil, err
		}
		reading = append(reading, client)
	}
	return producing, reading, nil
}

// send sends every K-th record when it is due, and waits until all are acknowledged.
func (l *openLoop) send(ctx context.Context, client *kgo.Client, k int64, read bool) {
	body := l.o.payload(k)
	pool := l.o.pool(read, func(n *numbered, err error) {
		l.sent.count(err)
		if err == nil && n.number >= l.skip {
			l.ack.add(time.Since(l.at.begin) - n.due)
		}
	})
	l.at.pace(k, int64(l.o.producers), l.total, func(number int64, due, now time.Duration) {
		n := pool.Get().(*numbered)
		n.fill(l.o, body, number, due)
		if number >= l.skip {
			l.late.add(now - due)
		}
		client.Produce(ctx, &n.record, n.done)
	})
	_ = client.Flush(ctx) // what it did not get through is counted by its record
}

// read reads until it has every record. Those of one poll are there at the same time: when it returned.
func (l *openLoop) read(ctx context.Context, client *kgo.Client) {
	had := make([]bool, l.total)
	for left := l.total; left > 0 && ctx.Err() == nil; {
		fetches := client.PollFetches(ctx)
		now := time.Since(l.at.begin)
		count := int64(0)
		fetches.EachRecord(func(record *kgo.Record) {
			if len(record.Value) != l.o.size {
				l.alien.Add(1)
				return
			}
			number := int64(binary.BigEndian.Uint64(record.Value))
			switch {
			case number < 0 || number >= l.total:
				l.alien.Add(1)
			case had[number]:
				l.doubled.Add(1)
			default:
				had[number] = true
				count++
				if number >= l.skip {
					l.endToEnd.add(now - l.at.due(number))
				}
			}
		})
		left -= count
		l.seen.Add(count)
	}
}

func (l *openLoop) report(verb string, readers int, m *meter, stuck error) (r *report, err error) {
	records := l.total - l.skip
	r = &report{Verb: verb, Records: records, Bytes: records * int64(l.o.size), Ack: l.ack.quantiles(),
		EndToEnd: l.endToEnd.quantiles(), Late: l.late.quantiles()}
	if r.Seconds, r.costs, err = m.stop(); err != nil {
		return nil, err
	}
	l.sent.failed.Add(l.total - l.sent.done.Load())
	l.sent.into(r)
	if readers > 0 {
		missing, doubled := l.total*int64(readers)-l.seen.Load(), l.doubled.Load()
		r.Missing, r.Doubled = &missing, &doubled
	}
	if stuck != nil && r.First == "" {
		r.First = stuck.Error()
	}
	if alien := l.alien.Load(); alien > 0 {
		return r, fmt.Errorf("%d records were read that it did not send: somebody else writes to the topic", alien)
	}
	return r, nil
}
