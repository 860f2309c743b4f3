package main

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consume reads -records from the start of the topic, with each of -readers.
func consume(ctx context.Context, o *options) (*report, error) {
	from, err := o.offsets(ctx, false)
	if err != nil {
		return nil, err
	}
	o.prepare()
	clients := make([]*kgo.Client, o.readers)
	for k := range clients {
		client, err := o.reader(from)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		clients[k] = client
	}
	m, err := o.start()
	if err != nil {
		return nil, err
	}
	var records, bytes atomic.Int64
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	all := make(chan struct{})
	go func() {
		defer close(all)
		var work sync.WaitGroup
		for _, client := range clients {
			work.Go(func() { o.drain(ctx, client, &records, &bytes) })
		}
		work.Wait()
	}()
	stuck := patient(o.patience, records.Load, all)
	r := &report{Verb: "consume", Records: records.Load(), Bytes: bytes.Load()}
	if r.Seconds, r.costs, err = m.stop(); err != nil {
		return nil, err
	}
	missing := max(o.records*int64(o.readers)-records.Load(), 0)
	r.Missing = &missing
	if stuck != nil {
		r.First = stuck.Error()
	}
	return r, nil
}

// drain reads until it has -records.
func (o *options) drain(ctx context.Context, client *kgo.Client, records, bytes *atomic.Int64) {
	for seen := int64(0); seen < o.records && ctx.Err() == nil; {
		count, size := int64(0), int64(0)
		client.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
			count++
			size += int64(len(record.Value))
		})
		seen += count
		records.Add(count)
		bytes.Add(size)
	}
}
