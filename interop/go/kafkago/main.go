// kafka-go (segmentio): Client for topics and offsets, Writer waiting for all replicas, Reader of one partition. Its Reader
// does not tell empty from null, so here they count as the same.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"ottla/interop/cases"
)

func main() {
	bootstrap := cases.Main("kafka-go")
	checks := &cases.Checks{}
	codecs := map[string]kafka.Compression{
		"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	}
	for what, codec := range codecs {
		round(checks, what, bootstrap, codec)
	}
	checks.Done()
}

// round creates a topic, produces, fetches and compares, looks offsets up and deletes.
func round(checks *cases.Checks, what, bootstrap string, codec kafka.Compression) {
	topic := cases.Topic("kafka-go", what)
	client := &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: cases.Limit}
	ctx := context.Background()
	create := &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: topic, NumPartitions: cases.Partitions, ReplicationFactor: 1},
	}}
	created, err := client.CreateTopics(ctx, create)
	cases.Must(errors.Join(err, created.Errors[topic]), topic+" creation")
	again, err := client.CreateTopics(ctx, create)
	cases.Must(err, topic+" second creation")
	checks.True(errors.Is(again.Errors[topic], kafka.TopicAlreadyExists), "%s created twice: %v", topic, again.Errors)

	sent := produce(bootstrap, topic, codec)
	fetched := cases.Log{}
	for p, records := range sent {
		fetched[p] = fetch(bootstrap, topic, p, kafka.FirstOffset, len(records))
	}
	checks.SameLog(topic, false, sent, fetched)
	for p, records := range sent {
		lookUp(checks, client, bootstrap, topic, p, records)
	}

	deleted, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	cases.Must(errors.Join(err, deleted.Errors[topic]), topic+" deletion")
	deleted, err = client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	cases.Must(err, topic+" second deletion")
	gone := errors.Is(deleted.Errors[topic], kafka.UnknownTopicOrPartition)
	checks.True(gone, "%s deleted twice: %v", topic, deleted.Errors)
}

// lookUp asks for offsets by position and by time, and starts in the middle of a batch.
func lookUp(checks *cases.Checks, client *kafka.Client, bootstrap, topic string, p int32, records []cases.Placed) {
	middle := records[len(records)/2]
	asked := []kafka.OffsetRequest{
		kafka.FirstOffsetOf(int(p)), kafka.LastOffsetOf(int(p)),
		kafka.TimeOffsetOf(int(p), time.UnixMilli(middle.Record.Timestamp)),
	}
	request := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}}
	answer, err := client.ListOffsets(context.Background(), request)
	cases.Must(err, topic+" offsets")
	offsets := answer.Topics[topic][0]
	cases.Must(offsets.Error, topic+" offsets")
	cases.Equal(checks, topic+" start", 0, offsets.FirstOffset)
	cases.Equal(checks, topic+" end", int64(len(records)), offsets.LastOffset)
	_, found := offsets.Offsets[middle.Offset]
	checks.True(found, "%s offset for a time: expected %d, got %v", topic, middle.Offset, offsets.Offsets)
	checks.Same(topic+" from the middle", middle, fetch(bootstrap, topic, p, middle.Offset, 1)[0])
}

// produce sends all records and returns where each was acknowledged, by rising offset.
func produce(bootstrap, topic string, codec kafka.Compression) cases.Log {
	sent := cases.Log{}
	var lock sync.Mutex
	// Records are told apart by their timestamps.
	records := map[int64]cases.Record{}
	var messages []kafka.Message
	for _, r := range cases.Records() {
		records[r.Timestamp] = plain(r)
		m := kafka.Message{Key: r.Key, Value: r.Value, Time: time.UnixMilli(r.Timestamp)}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		messages = append(messages, m)
	}
	writer := &kafka.Writer{
		Addr: kafka.TCP(bootstrap), Topic: topic, RequiredAcks: kafka.RequireAll, Compression: codec,
		BatchTimeout: 10 * time.Millisecond, BatchBytes: 1 << 20,
		Completion: func(placed []kafka.Message, err error) {
			cases.Must(err, topic+" produce")
			lock.Lock()
			defer lock.Unlock()
			for _, m := range placed {
				at := cases.Placed{Offset: m.Offset, Record: records[m.Time.UnixMilli()]}
				sent[int32(m.Partition)] = append(sent[int32(m.Partition)], at)
			}
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), cases.Limit)
	defer cancel()
	cases.Must(writer.WriteMessages(ctx, messages...), topic+" produce")
	cases.Must(writer.Close(), topic+" writer end")
	return sent
}

// fetch reads `count` records of one partition.
func fetch(bootstrap, topic string, partition int32, offset int64, count int) []cases.Placed {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: topic, Partition: int(partition), MaxBytes: 10 << 20,
		MaxWait: 100 * time.Millisecond,
	})
	defer reader.Close()
	cases.Must(reader.SetOffset(offset), topic+" seek")
	ctx, cancel := context.WithTimeout(context.Background(), cases.Limit)
	defer cancel()
	var out []cases.Placed
	for len(out) < count {
		m, err := reader.ReadMessage(ctx)
		cases.Must(err, topic+" consume")
		r := cases.Record{Key: m.Key, Value: m.Value, Timestamp: m.Time.UnixMilli()}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, cases.Header{Key: h.Key, Value: h.Value})
		}
		out = append(out, cases.Placed{Offset: m.Offset, Record: plain(r)})
	}
	return out
}

// plain is the record with null wherever it is empty.
func plain(r cases.Record) cases.Record {
	null := func(field []byte) []byte {
		if len(field) == 0 {
			return nil
		}
		return field
	}
	headers := make([]cases.Header, 0, len(r.Headers))
	for _, h := range r.Headers {
		headers = append(headers, cases.Header{Key: h.Key, Value: null(h.Value)})
	}
	return cases.Record{Key: null(r.Key), Value: null(r.Value), Headers: headers, Timestamp: r.Timestamp}
}
