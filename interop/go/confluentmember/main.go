// A member of a group by confluent-kafka-go, that is librdkafka behind Go, in both protocols.
package main

import (
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"ottla/interop/member"
)

func main() {
	group, ctx := member.Main()
	settings := &kafka.ConfigMap{
		"bootstrap.servers": group.Bootstrap, "group.id": group.Name, "auto.offset.reset": "earliest",
		"enable.auto.commit": group.Auto, "auto.commit.interval.ms": int(member.Interval.Milliseconds()),
		// Stored when it is told, not when it is taken: else a kill between the two would lose it.
		"enable.auto.offset.store": false,
	}
	if group.ServerSide {
		member.Must(settings.SetKey("group.protocol", "consumer"), "protocol")
	} else {
		// In the other protocol the broker says both.
		member.Must(settings.SetKey("session.timeout.ms", int(member.Session.Milliseconds())), "session")
		member.Must(settings.SetKey("heartbeat.interval.ms", int(member.Heartbeat.Milliseconds())), "heartbeat")
	}
	consumer, err := kafka.NewConsumer(settings)
	member.Must(err, "client")
	member.Must(consumer.SubscribeTopics([]string{group.Topic}, rebalanced), "subscription")
	for ctx.Err() == nil {
		message, err := consumer.ReadMessage(100 * time.Millisecond)
		if err != nil {
			if failed, is := err.(kafka.Error); !is || !failed.IsTimeout() {
				member.Refused(err)
			}
			continue
		}
		at := message.TopicPartition
		member.Read(at.Partition, int64(at.Offset))
		if !group.Auto {
			commit(consumer, message)
		} else if _, err := consumer.StoreMessage(message); err != nil {
			member.Refused(err)
		}
	}
	if err := consumer.Close(); err != nil {
		member.Refused(err)
	}
	member.Left()
}

// rebalanced tells what changes; the client itself acts on it.
func rebalanced(_ *kafka.Consumer, event kafka.Event) error {
	numbers := func(partitions []kafka.TopicPartition) (out []int32) {
		for _, p := range partitions {
			out = append(out, p.Partition)
		}
		return out
	}
	switch change := event.(type) {
	case kafka.AssignedPartitions:
		member.Assigned(numbers(change.Partitions))
	case kafka.RevokedPartitions:
		member.Revoked(numbers(change.Partitions))
	}
	return nil
}

func commit(consumer *kafka.Consumer, message *kafka.Message) {
	committed, err := consumer.CommitMessage(message)
	if err != nil {
		member.Refused(err)
		return
	}
	for _, at := range committed {
		if at.Error != nil {
			member.Refused(at.Error)
		} else {
			member.Committed(at.Partition, int64(at.Offset))
		}
	}
}
