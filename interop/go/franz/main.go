// franz-go: admin, producer (idempotent by default), consumer by assignment.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/interop/cases"
)

func main() {
	bootstrap := cases.Main("franz-go")
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	checks := &cases.Checks{}
	for what, codec := range codecs {
		round(checks, what, bootstrap, kgo.ProducerBatchCompression(codec))
	}
	round(checks, "defaults", bootstrap)
	// Without idempotence franz-go keeps one request in flight, so the order holds here too.
	round(checks, "acks1", bootstrap, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	checks.Done()
}

// round creates a topic, produces, fetches and compares, looks offsets up and deletes.
func round(checks *cases.Checks, what, bootstrap string, options ...kgo.Opt) {
	ctx, cancel := context.WithTimeout(context.Background(), cases.Limit)
	defer cancel()
	topic := cases.Topic("franz", what)
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic))...)
	cases.Must(err, "client")
	defer client.Close()
	admin := kadm.NewClient(client)

	_, err = admin.CreateTopic(ctx, cases.Partitions, 1, nil, topic)
	cases.Must(err, topic+" creation")
	_, err = admin.CreateTopic(ctx, cases.Partitions, 1, nil, topic)
	checks.True(errors.Is(err, kerr.TopicAlreadyExists), "%s created twice: %v", topic, err)

	sent := produce(ctx, client, topic)
	total := 0
	for _, records := range sent {
		total += len(records)
	}
	start := map[int32]kgo.Offset{}
	for p := range int32(cases.Partitions) {
		start[p] = kgo.NewOffset().At(0)
	}
	checks.SameLog(topic, true, sent, fetch(ctx, bootstrap, topic, start, total))
	lookUp(ctx, checks, admin, bootstrap, topic, sent)

	_, err = admin.DeleteTopic(ctx, topic)
	cases.Must(err, topic+" deletion")
	_, err = admin.DeleteTopic(ctx, topic)
	checks.True(errors.Is(err, kerr.UnknownTopicOrPartition), "%s deleted twice: %v", topic, err)
}

// produce sends all records and returns where each was acknowledged.
func produce(ctx context.Context, client *kgo.Client, topic string) cases.Log {
	sent := cases.Log{}
	for _, record := range cases.Records() {
		out := &kgo.Record{Key: record.Key, Value: record.Value, Timestamp: time.UnixMilli(record.Timestamp)}
		for _, h := range record.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		// The callbacks run one after another, so the map needs no lock; Flush orders them before the return.
		client.Produce(ctx, out, func(r *kgo.Record, err error) {
			cases.Must(err, topic+" produce")
			sent[r.Partition] = append(sent[r.Partition], cases.Placed{Offset: r.Offset, Record: record})
		})
	}
	cases.Must(client.Flush(ctx), topic+" flush")
	return sent
}

// fetch reads `count` records from the given offsets on.
func fetch(ctx context.Context, bootstrap, topic string, from map[int32]kgo.Offset, count int) cases.Log {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	cases.Must(err, "consumer")
	defer client.Close()
	log := cases.Log{}
	for seen := 0; seen < count; {
		fetches := client.PollRecords(ctx, count-seen)
		for _, e := range fetches.Errors() {
			cases.Fail("%s partition %d, after %d of %d records: %v", topic, e.Partition, seen, count, e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			record := cases.Record{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp.UnixMilli()}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, cases.Header{Key: h.Key, Value: h.Value})
			}
			log[r.Partition] = append(log[r.Partition], cases.Placed{Offset: r.Offset, Record: record})
			seen++
		})
	}
	return log
}

// lookUp asks for offsets by position and by time, and starts in the middle of a batch.
func lookUp(ctx context.Context, checks *cases.Checks, admin *kadm.Client, bootstrap, topic string, sent cases.Log) {
	starts, err := admin.ListStartOffsets(ctx, topic)
	cases.Must(err, topic+" start offsets")
	ends, err := admin.ListEndOffsets(ctx, topic)
	cases.Must(err, topic+" end offsets")
	for p, records := range sent {
		start, _ := starts.Lookup(topic, p)
		end, _ := ends.Lookup(topic, p)
		cases.Equal(checks, topic+" start", 0, start.Offset)
		cases.Equal(checks, topic+" end", int64(len(records)), end.Offset)

		middle := records[len(records)/2]
		found, err := admin.ListOffsetsAfterMilli(ctx, middle.Record.Timestamp, topic)
		cases.Must(err, topic+" offset for a time")
		at, _ := found.Lookup(topic, p)
		cases.Equal(checks, topic+" offset for a time", middle.Offset, at.Offset)

		got := fetch(ctx, bootstrap, topic, map[int32]kgo.Offset{p: kgo.NewOffset().At(middle.Offset)}, 1)
		checks.Same(topic+" from the middle", middle, got[p][0])
	}
}
