// A member of a group by bsm/sarama-cluster, as it was used before sarama had groups of its own: protocol 0.10.0.1, with
// notifications of rebalances and commits on demand.
//
// It tells no commit: after a rebalance CommitOffsets succeeds without having anything to commit. Whoever watches the
// group's offsets sees them.
package main

import (
	"github.com/Shopify/sarama"
	cluster "github.com/bsm/sarama-cluster"

	"ottla/interop/member"
)

func main() {
	group, ctx := member.Main()
	config := cluster.NewConfig()
	config.Version = sarama.V0_10_0_1
	config.Group.Return.Notifications = true
	config.Group.Session.Timeout = member.Session
	config.Group.Heartbeat.Interval = member.Heartbeat
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.CommitInterval = member.Interval
	if !group.Auto {
		// There is no switch: an interval that never comes.
		config.Consumer.Offsets.CommitInterval = 1000 * member.Session
	}
	config.Consumer.Return.Errors = true
	client, err := cluster.NewConsumer([]string{group.Bootstrap}, group.Name, []string{group.Topic}, config)
	member.Must(err, "client")
	for {
		select {
		case message := <-client.Messages():
			member.Read(message.Partition, message.Offset)
			client.MarkOffset(message, "")
			if !group.Auto && len(client.Messages()) == 0 {
				if err := client.CommitOffsets(); err != nil {
					member.Refused(err)
				}
			}
		case notice := <-client.Notifications():
			switch notice.Type {
			case cluster.RebalanceStart:
				member.Revoked(notice.Current[group.Topic])
			case cluster.RebalanceOK:
				member.Assigned(notice.Current[group.Topic])
			}
		case err := <-client.Errors():
			member.Refused(err)
		case <-ctx.Done():
			if err := client.Close(); err != nil {
				member.Refused(err)
			}
			member.Left()
			return
		}
	}
}
