package main

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// produce sends -records as fast as the broker takes them, shared among -producers.
func produce(ctx context.Context, o *options) (*report, error) {
	if err := o.create(ctx); err != nil {
		return nil, err
	}
	o.prepare()
	clients := make([]*kgo.Client, o.producers)
	for k := range clients {
		client, err := o.producer()
		if err != nil {
			return nil, err
		}
		defer client.Close()
		if err := client.Ping(ctx); err != nil {
			return nil, err
		}
		clients[k] = client
	}
	m, err := o.start()
	if err != nil {
		return nil, err
	}
	var sent tally
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	all := make(chan struct{})
	go func() {
		defer close(all)
		var work sync.WaitGroup
		for k, client := range clients {
			work.Go(func() { o.send(ctx, client, int64(k), &sent) })
		}
		work.Wait()
	}()
	stuck := patient(o.patience, sent.done.Load, all)
	r := &report{Verb: "produce", Records: o.records, Bytes: o.records * int64(o.size)}
	if r.Seconds, r.costs, err = m.stop(); err != nil {
		return nil, err
	}
	if stuck != nil {
		giveUp()
		sent.failed.Add(o.records - sent.done.Load())
		sent.first.CompareAndSwap(nil, &stuck)
	}
	sent.into(r)
	return r, nil
}

// slab is how many records are allocated at once.
const slab = 512

// send sends every K-th record and waits until all are acknowledged.
func (o *options) send(ctx context.Context, client *kgo.Client, k int64, sent *tally) {
	body := o.payload(k)
	done := func(_ *kgo.Record, err error) { sent.count(err) }
	var records []kgo.Record
	for number := k; number < o.records; number += int64(o.producers) {
		if len(records) == 0 {
			records = make([]kgo.Record, slab)
		}
		record := &records[0]
		records = records[1:]
		record.Value = body.value()
		record.Partition = int32(number % int64(o.partitions))
		client.Produce(ctx, record, done)
	}
	_ = client.Flush(ctx) // what it did not get through is counted by its record
}
