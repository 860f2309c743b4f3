package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// slowBuffer is all that the system takes in for a slow reader: the rest of an answer stays with the broker.
const slowBuffer = 4096

// slow has each of -connections ask -inflight times for -bytes of one partition, the next for the next one, and read nothing of
// the answers until stdin ends. In the old protocol a broker has to make the answers in memory.
func slow(ctx context.Context, o *options) (*report, error) {
	if err := o.create(ctx); err != nil {
		return nil, err
	}
	m, err := o.start()
	if err != nil {
		return nil, err
	}
	open, err := o.openAll(slowBuffer, func(k int, p plain) error {
		for range o.inflight {
			if err := p.put(o.fetch(int32(k % o.partitions))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := &report{Verb: "slow", Connections: len(open)}
	if r.Seconds, r.costs, err = m.stop(); err != nil {
		return nil, err
	}
	err = r.hold()
	for _, p := range open {
		p.Close()
	}
	return nil, err
}

// fetch asks for the partition from its beginning.
func (o *options) fetch(number int32) kmsg.Request {
	request := kmsg.NewPtrFetchRequest()
	request.Version = 4
	if o.protocol == "0.10" {
		request.Version = 2
	}
	request.MaxWaitMillis, request.MinBytes, request.MaxBytes = 500, 1, int32(o.bytes)
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition, partition.PartitionMaxBytes = number, int32(o.bytes)
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.Partitions = o.topic, []kmsg.FetchRequestTopicPartition{partition}
	request.Topics = []kmsg.FetchRequestTopic{topic}
	return request
}
