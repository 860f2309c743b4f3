// confluent-kafka-go: librdkafka behind Go, with its defaults and with its idempotent producer. The consumer is assigned
// its partitions; the group that it must name is never joined.
package main

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"ottla/interop/cases"
)

const limitMs = int(cases.Limit / time.Millisecond)

func main() {
	bootstrap := cases.Main("confluent-kafka-go")
	checks := &cases.Checks{}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		round(checks, codec, bootstrap, kafka.ConfigMap{"compression.type": codec})
	}
	round(checks, "idempotent", bootstrap, kafka.ConfigMap{"enable.idempotence": true})
	checks.Done()
}

// round creates a topic, produces, fetches and compares, looks offsets up and deletes.
func round(checks *cases.Checks, what, bootstrap string, settings kafka.ConfigMap) {
	topic := cases.Topic("confluent-kafka-go", what)
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": bootstrap})
	cases.Must(err, "admin")
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), cases.Limit)
	defer cancel()
	wanted := []kafka.TopicSpecification{{Topic: topic, NumPartitions: cases.Partitions, ReplicationFactor: 1}}
	for _, expected := range []kafka.ErrorCode{kafka.ErrNoError, kafka.ErrTopicAlreadyExists} {
		created, err := admin.CreateTopics(ctx, wanted)
		cases.Must(err, topic+" creation")
		cases.Equal(checks, topic+" creation", expected, created[0].Error.Code())
	}

	settings["bootstrap.servers"] = bootstrap
	sent := produce(topic, settings)
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": false, "auto.offset.reset": "error",
		// An assignment ends when the last fetch is over: this is what most of the time goes into.
		"fetch.wait.max.ms": 20,
	})
	cases.Must(err, topic+" consumer")
	fetched := cases.Log{}
	for p, records := range sent {
		fetched[p] = fetch(consumer, topic, p, kafka.OffsetBeginning, len(records))
	}
	checks.SameLog(topic, what == "idempotent", sent, fetched)
	for p, records := range sent {
		low, high, err := consumer.QueryWatermarkOffsets(topic, p, limitMs)
		cases.Must(err, topic+" watermarks")
		cases.Equal(checks, topic+" start", 0, low)
		cases.Equal(checks, topic+" end", int64(len(records)), high)
		middle := records[len(records)/2]
		asked := kafka.TopicPartition{Topic: &topic, Partition: p, Offset: kafka.Offset(middle.Record.Timestamp)}
		at, err := consumer.OffsetsForTimes([]kafka.TopicPartition{asked}, limitMs)
		cases.Must(err, topic+" offset for a time")
		cases.Equal(checks, topic+" offset for a time", kafka.Offset(middle.Offset), at[0].Offset)
		from := fetch(consumer, topic, p, kafka.Offset(middle.Offset), 1)
		checks.Same(topic+" from the middle", middle, from[0])
	}
	cases.Must(consumer.Close(), topic+" consumer end")

	for _, expected := range []kafka.ErrorCode{kafka.ErrNoError, kafka.ErrUnknownTopicOrPart} {
		deleted, err := admin.DeleteTopics(ctx, []string{topic})
		cases.Must(err, topic+" deletion")
		cases.Equal(checks, topic+" deletion", expected, deleted[0].Error.Code())
	}
}

// produce sends all records and returns where each was acknowledged, by rising offset.
func produce(topic string, settings kafka.ConfigMap) cases.Log {
	producer, err := kafka.NewProducer(&settings)
	cases.Must(err, topic+" producer")
	defer producer.Close()
	records := cases.Records()
	answers := make(chan kafka.Event, len(records))
	for i, r := range records {
		m := &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
			Key:            r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp), Opaque: i,
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		cases.Must(producer.Produce(m, answers), topic+" produce")
	}
	sent := cases.Log{}
	for range records {
		select {
		case event := <-answers:
			m := event.(*kafka.Message)
			cases.Must(m.TopicPartition.Error, topic+" produce")
			at := cases.Placed{Offset: int64(m.TopicPartition.Offset), Record: records[m.Opaque.(int)]}
			p := m.TopicPartition.Partition
			sent[p] = append(sent[p], at)
		case <-time.After(cases.Limit):
			cases.Fail("%s: acknowledgements came, then no more", topic)
		}
	}
	return sent
}

// fetch reads `count` records of one partition.
func fetch(consumer *kafka.Consumer, topic string, partition int32, offset kafka.Offset, count int) []cases.Placed {
	from := kafka.TopicPartition{Topic: &topic, Partition: partition, Offset: offset}
	cases.Must(consumer.Assign([]kafka.TopicPartition{from}), topic+" assign")
	var out []cases.Placed
	for len(out) < count {
		m, err := consumer.ReadMessage(cases.Limit)
		cases.Must(err, topic+" consume")
		r := cases.Record{Key: m.Key, Value: m.Value, Timestamp: m.Timestamp.UnixMilli()}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, cases.Header{Key: h.Key, Value: h.Value})
		}
		out = append(out, cases.Placed{Offset: int64(m.TopicPartition.Offset), Record: r})
	}
	return out
}
