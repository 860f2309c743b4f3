// sarama as those use it who never set a newer version: protocol 0.10.0.1, with Produce v2, Fetch v2 and ListOffsets v0,
// records of magic 1, which have timestamps and no headers. SyncProducer, AsyncProducer, PartitionConsumer from the oldest
// and from the newest offset.
//
// That version cannot create topics: another client with sarama's default version does.
package main

import (
	"errors"
	"time"

	"github.com/IBM/sarama"

	"ottla/interop/cases"
)

func main() {
	bootstrap := cases.Main("sarama-0.10")
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, sarama.NewConfig())
	cases.Must(err, "admin")
	defer admin.Close()
	codecs := map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4,
	}
	checks := &cases.Checks{}
	for what, codec := range codecs {
		round(checks, admin, "sync-"+what, bootstrap, settings(codec), produce)
		round(checks, admin, "async-"+what, bootstrap, settings(codec), produceAsync)
	}
	checks.Done()
}

// settings are sarama's own for this version, but for what this test is about.
func settings(codec sarama.CompressionCodec) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V0_10_0_1
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Compression = codec
	config.Producer.Return.Successes = true
	config.Consumer.Return.Errors = true
	// A stream is closed when its last fetch is over: this is what most of the time goes into.
	config.Consumer.MaxWaitTime = 20 * time.Millisecond
	return config
}

type producing func(client sarama.Client, topic string, records []cases.Record) cases.Log

// round creates a topic, produces, fetches and compares, from the oldest, from the middle and from the newest offset.
func round(checks *cases.Checks, admin sarama.ClusterAdmin, what, bootstrap string, config *sarama.Config, send producing) {
	topic := cases.Topic("sarama-0.10", what)
	detail := &sarama.TopicDetail{NumPartitions: cases.Partitions, ReplicationFactor: 1}
	cases.Must(admin.CreateTopic(topic, detail, false), topic+" creation")
	client, err := sarama.NewClient([]string{bootstrap}, config)
	cases.Must(err, what+" client")
	defer client.Close()

	sent := send(client, topic, records())
	consumer, err := sarama.NewConsumerFromClient(client)
	cases.Must(err, topic+" consumer")
	fetched := cases.Log{}
	for p, records := range sent {
		fetched[p] = fetch(open(consumer, topic, p, sarama.OffsetOldest), topic, len(records))
	}
	checks.SameLog(topic, false, sent, fetched)

	for p, records := range sent {
		for at, expected := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: int64(len(records))} {
			offset, err := client.GetOffset(topic, p, at)
			cases.Must(err, topic+" offset")
			cases.Equal(checks, topic+" offset", expected, offset)
		}
		middle := records[len(records)/2]
		checks.Same(topic+" from the middle", middle, fetch(open(consumer, topic, p, middle.Offset), topic, 1)[0])
	}
	newest(checks, client, consumer, topic, sent)
	cases.Must(consumer.Close(), topic+" consumer end")
	cases.Must(admin.DeleteTopic(topic), topic+" deletion")
}

// newest reads from the end on: what is produced after that, and nothing before.
func newest(checks *cases.Checks, client sarama.Client, consumer sarama.Consumer, topic string, sent cases.Log) {
	streams := map[int32]sarama.PartitionConsumer{}
	for p := range int32(cases.Partitions) {
		streams[p] = open(consumer, topic, p, sarama.OffsetNewest)
	}
	for p, placed := range produce(client, topic, records()[:5]) {
		got := fetch(streams[p], topic, len(placed))
		for i := range placed {
			cases.Equal(checks, topic+" newest offset", int64(len(sent[p])+i), got[i].Offset)
			checks.Same(topic+" from the newest", placed[i], got[i])
		}
		delete(streams, p)
	}
	for _, unused := range streams {
		cases.Must(unused.Close(), topic+" stream end")
	}
}

// records are all that magic 1 can express: no headers.
func records() []cases.Record {
	records := cases.Records()
	for i := range records {
		records[i].Headers = nil
	}
	return records
}

func messages(topic string, records []cases.Record) []*sarama.ProducerMessage {
	messages := make([]*sarama.ProducerMessage, 0, len(records))
	for i, r := range records {
		m := &sarama.ProducerMessage{Topic: topic, Timestamp: time.UnixMilli(r.Timestamp), Metadata: i}
		if r.Key != nil {
			m.Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil {
			m.Value = sarama.ByteEncoder(r.Value)
		}
		messages = append(messages, m)
	}
	return messages
}

// produce sends records and returns where each was acknowledged, by rising offset.
func produce(client sarama.Client, topic string, records []cases.Record) cases.Log {
	producer, err := sarama.NewSyncProducerFromClient(client)
	cases.Must(err, topic+" producer")
	messages := messages(topic, records)
	cases.Must(producer.SendMessages(messages), topic+" produce")
	cases.Must(producer.Close(), topic+" producer end")
	sent := cases.Log{}
	for _, m := range messages {
		sent[m.Partition] = append(sent[m.Partition], cases.Placed{Offset: m.Offset, Record: records[m.Metadata.(int)]})
	}
	return sent
}

// produceAsync does the same through channels.
func produceAsync(client sarama.Client, topic string, records []cases.Record) cases.Log {
	producer, err := sarama.NewAsyncProducerFromClient(client)
	cases.Must(err, topic+" producer")
	go func() {
		for _, m := range messages(topic, records) {
			producer.Input() <- m
		}
	}()
	sent := cases.Log{}
	for range records {
		select {
		case m := <-producer.Successes():
			placed := cases.Placed{Offset: m.Offset, Record: records[m.Metadata.(int)]}
			sent[m.Partition] = append(sent[m.Partition], placed)
		case err := <-producer.Errors():
			cases.Fail("%s produce: %v", topic, err)
		case <-time.After(cases.Limit):
			cases.Fail("%s: acknowledgements came, then no more", topic)
		}
	}
	cases.Must(producer.Close(), topic+" producer end")
	return sent
}

func open(consumer sarama.Consumer, topic string, partition int32, offset int64) sarama.PartitionConsumer {
	stream, err := consumer.ConsumePartition(topic, partition, offset)
	cases.Must(err, topic+" consume")
	return stream
}

// fetch reads `count` records of one partition and closes the stream.
func fetch(stream sarama.PartitionConsumer, topic string, count int) []cases.Placed {
	var out []cases.Placed
	for len(out) < count {
		select {
		case m := <-stream.Messages():
			cases.Must(noHeaders(m), topic)
			r := cases.Record{Key: m.Key, Value: m.Value, Timestamp: m.Timestamp.UnixMilli()}
			out = append(out, cases.Placed{Offset: m.Offset, Record: r})
		case err := <-stream.Errors():
			cases.Fail("%s consume: %v", topic, err)
		case <-time.After(cases.Limit):
			cases.Fail("%s: %d of %d records came, then nothing", topic, len(out), count)
		}
	}
	cases.Must(stream.Close(), topic+" stream end")
	return out
}

func noHeaders(m *sarama.ConsumerMessage) error {
	if len(m.Headers) > 0 {
		return errors.New("headers in a format that has none")
	}
	return nil
}
