// sarama: cluster admin, SyncProducer waiting for all replicas, PartitionConsumer. With sarama's default protocol
// version, and once more with the newest it knows.
package main

import (
	"errors"
	"time"

	"github.com/IBM/sarama"

	"ottla/interop/cases"
)

func main() {
	bootstrap := cases.Main("sarama")
	codecs := map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}
	checks := &cases.Checks{}
	for what, codec := range codecs {
		config := settings()
		config.Producer.Compression = codec
		round(checks, what, bootstrap, config)
	}
	newest := settings()
	newest.Version = sarama.MaxVersion
	round(checks, "newest", bootstrap, newest)
	idempotent := settings()
	idempotent.Producer.Idempotent = true
	idempotent.Net.MaxOpenRequests = 1
	round(checks, "idempotent", bootstrap, idempotent)
	checks.Done()
}

// settings are sarama's own, but for what this test is about.
func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Consumer.Return.Errors = true
	// A stream is closed when its last fetch is over: this is what most of the time goes into.
	config.Consumer.MaxWaitTime = 20 * time.Millisecond
	return config
}

// round creates a topic, produces, fetches and compares, looks offsets up and deletes.
func round(checks *cases.Checks, what, bootstrap string, config *sarama.Config) {
	topic := cases.Topic("sarama", what)
	client, err := sarama.NewClient([]string{bootstrap}, config)
	cases.Must(err, what+" client")
	admin, err := sarama.NewClusterAdminFromClient(client)
	cases.Must(err, what+" admin")
	defer admin.Close()

	detail := &sarama.TopicDetail{NumPartitions: cases.Partitions, ReplicationFactor: 1}
	cases.Must(admin.CreateTopic(topic, detail, false), topic+" creation")
	err = admin.CreateTopic(topic, detail, false)
	checks.True(errors.Is(err, sarama.ErrTopicAlreadyExists), "%s created twice: %v", topic, err)

	sent := produce(client, topic)
	consumer, err := sarama.NewConsumerFromClient(client)
	cases.Must(err, topic+" consumer")
	fetched := cases.Log{}
	for p, records := range sent {
		fetched[p] = fetch(consumer, topic, p, sarama.OffsetOldest, len(records))
	}
	checks.SameLog(topic, config.Producer.Idempotent, sent, fetched)

	for p, records := range sent {
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		cases.Must(err, topic+" end offset")
		cases.Equal(checks, topic+" end", int64(len(records)), end)
		middle := records[len(records)/2]
		at, err := client.GetOffset(topic, p, middle.Record.Timestamp)
		cases.Must(err, topic+" offset for a time")
		cases.Equal(checks, topic+" offset for a time", middle.Offset, at)
		checks.Same(topic+" from the middle", middle, fetch(consumer, topic, p, middle.Offset, 1)[0])
	}
	cases.Must(consumer.Close(), topic+" consumer end")
	cases.Must(admin.DeleteTopic(topic), topic+" deletion")
	err = admin.DeleteTopic(topic)
	checks.True(errors.Is(err, sarama.ErrUnknownTopicOrPartition), "%s deleted twice: %v", topic, err)
}

// produce sends all records and returns where each was acknowledged.
func produce(client sarama.Client, topic string) cases.Log {
	producer, err := sarama.NewSyncProducerFromClient(client)
	cases.Must(err, topic+" producer")
	records := cases.Records()
	messages := make([]*sarama.ProducerMessage, 0, len(records))
	for i, r := range records {
		m := &sarama.ProducerMessage{Topic: topic, Timestamp: time.UnixMilli(r.Timestamp), Metadata: i}
		if r.Key != nil {
			m.Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil {
			m.Value = sarama.ByteEncoder(r.Value)
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		messages = append(messages, m)
	}
	cases.Must(producer.SendMessages(messages), topic+" produce")
	cases.Must(producer.Close(), topic+" producer end")
	sent := cases.Log{}
	for _, m := range messages {
		sent[m.Partition] = append(sent[m.Partition], cases.Placed{Offset: m.Offset, Record: records[m.Metadata.(int)]})
	}
	return sent
}

// fetch reads `count` records of one partition.
func fetch(consumer sarama.Consumer, topic string, partition int32, offset int64, count int) []cases.Placed {
	stream, err := consumer.ConsumePartition(topic, partition, offset)
	cases.Must(err, topic+" consume")
	defer stream.Close()
	var out []cases.Placed
	for len(out) < count {
		select {
		case m := <-stream.Messages():
			r := cases.Record{Key: m.Key, Value: m.Value, Timestamp: m.Timestamp.UnixMilli()}
			for _, h := range m.Headers {
				r.Headers = append(r.Headers, cases.Header{Key: string(h.Key), Value: h.Value})
			}
			out = append(out, cases.Placed{Offset: m.Offset, Record: r})
		case err := <-stream.Errors():
			cases.Fail("%s consume: %v", topic, err)
		case <-time.After(cases.Limit):
			cases.Fail("%s partition %d: %d of %d records came, then nothing", topic, partition, len(out), count)
		}
	}
	return out
}
