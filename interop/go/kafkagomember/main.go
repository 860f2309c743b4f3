// A member of a group by segmentio's kafka-go: its ConsumerGroup, generation by generation, where commits are made by hand,
// and its Reader, which hides the group, where they are made by interval.
//
// A Reader does not tell its partitions. In the scenario it is alone in its group, so they are all its own.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"ottla/interop/member"
)

func main() {
	group, ctx := member.Main()
	if group.Auto {
		read(group, ctx)
	} else {
		generations(group, ctx)
	}
	member.Left()
}

func read(group member.Group, ctx context.Context) {
	connection, err := kafka.Dial("tcp", group.Bootstrap)
	member.Must(err, "connection")
	partitions, err := connection.ReadPartitions(group.Topic)
	member.Must(err, "partitions")
	connection.Close()
	var all []int32
	for _, p := range partitions {
		all = append(all, int32(p.ID))
	}
	member.Assigned(all)
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{group.Bootstrap}, GroupID: group.Name, Topic: group.Topic, StartOffset: kafka.FirstOffset,
		SessionTimeout: member.Session, HeartbeatInterval: member.Heartbeat, CommitInterval: member.Interval,
		MaxWait: 100 * time.Millisecond,
	})
	for ctx.Err() == nil {
		message, err := reader.FetchMessage(ctx)
		if err == nil {
			member.Read(int32(message.Partition), message.Offset)
			// With an interval this marks, and commits later.
			err = reader.CommitMessages(ctx, message)
		}
		if err != nil && ctx.Err() == nil {
			member.Refused(err)
		}
	}
	if err := reader.Close(); err != nil {
		member.Refused(err)
	}
}

func generations(group member.Group, ctx context.Context) {
	client, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group.Name, Brokers: []string{group.Bootstrap}, Topics: []string{group.Topic}, StartOffset: kafka.FirstOffset,
		SessionTimeout: member.Session, HeartbeatInterval: member.Heartbeat, JoinGroupBackoff: time.Second,
	})
	member.Must(err, "client")
	for {
		generation, err := client.Next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			member.Refused(err)
			continue
		}
		var mine []int32
		for _, p := range generation.Assignments[group.Topic] {
			mine = append(mine, int32(p.ID))
		}
		member.Assigned(mine)
		for _, p := range generation.Assignments[group.Topic] {
			generation.Start(func(ctx context.Context) {
				consume(ctx, group, generation, p)
				member.Revoked([]int32{int32(p.ID)})
			})
		}
	}
	if err := client.Close(); err != nil {
		member.Refused(err)
	}
}

// consume reads one partition until its generation is over.
func consume(ctx context.Context, group member.Group, generation *kafka.Generation, at kafka.PartitionAssignment) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{group.Bootstrap}, Topic: group.Topic, Partition: at.ID, MaxWait: 100 * time.Millisecond,
	})
	defer reader.Close()
	if err := reader.SetOffset(at.Offset); err != nil {
		member.Refused(err)
		return
	}
	for {
		message, err := reader.ReadMessage(ctx)
		if errors.Is(err, kafka.ErrGenerationEnded) || ctx.Err() != nil {
			return
		}
		if err != nil {
			member.Refused(err)
			continue
		}
		member.Read(int32(at.ID), message.Offset)
		next := message.Offset + 1
		if err := generation.CommitOffsets(map[string]map[int]int64{group.Topic: {at.ID: next}}); err != nil {
			member.Refused(err)
		} else {
			member.Committed(int32(at.ID), next)
		}
	}
}
