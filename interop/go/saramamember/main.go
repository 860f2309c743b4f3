// A member of a group by sarama's ConsumerGroup, in its newest protocol version and in its oldest, that of 0.10.2.
//
// A commit of its own has no answer that the program sees: whoever watches the group's offsets does.
package main

import (
	"context"
	"errors"

	"github.com/IBM/sarama"

	"ottla/interop/member"
)

func main() {
	group, ctx := member.Main()
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	if group.Old {
		config.Version = sarama.V0_10_2_0
	}
	config.Consumer.Group.Session.Timeout = member.Session
	config.Consumer.Group.Heartbeat.Interval = member.Heartbeat
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = group.Auto
	config.Consumer.Offsets.AutoCommit.Interval = member.Interval
	config.Consumer.Return.Errors = true
	client, err := sarama.NewConsumerGroup([]string{group.Bootstrap}, group.Name, config)
	member.Must(err, "client")
	go func() {
		for err := range client.Errors() {
			member.Refused(err)
		}
	}()
	for ctx.Err() == nil {
		err := client.Consume(ctx, []string{group.Topic}, reader{group})
		if errors.Is(err, sarama.ErrClosedConsumerGroup) {
			break
		}
		if err != nil {
			member.Refused(err)
		}
	}
	if err := client.Close(); err != nil {
		member.Refused(err)
	}
	member.Left()
}

// reader tells what it reads and what it may read.
type reader struct{ group member.Group }

func (r reader) Setup(session sarama.ConsumerGroupSession) error {
	member.Assigned(session.Claims()[r.group.Topic])
	return nil
}

func (r reader) Cleanup(session sarama.ConsumerGroupSession) error {
	member.Revoked(session.Claims()[r.group.Topic])
	return nil
}

func (r reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			member.Read(message.Partition, message.Offset)
			session.MarkMessage(message, "")
			if !r.group.Auto && len(claim.Messages()) == 0 {
				session.Commit()
			}
		case <-session.Context().Done():
			return context.Cause(session.Context())
		}
	}
}
