// A member of a group by franz-go: cooperative, or with the assignment made by the broker.
//
// A commit that meets a member which is joining anew waits until it has joined, and then goes out in the new generation,
// with offsets of partitions that may be another's by now. So each is held to the generation in which its records came.
package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ottla/interop/member"
)

func main() {
	group, ctx := member.Main()
	told := func(tell func([]int32)) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) { tell(topics[group.Topic]) }
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(group.Bootstrap), kgo.ConsumerGroup(group.Name), kgo.ConsumeTopics(group.Topic),
		kgo.SessionTimeout(member.Session), kgo.HeartbeatInterval(member.Heartbeat),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(told(member.Assigned)), kgo.OnPartitionsRevoked(told(member.Revoked)),
		kgo.OnPartitionsLost(told(member.Revoked)),
	}
	if group.Auto {
		options = append(options, kgo.AutoCommitInterval(member.Interval))
	} else {
		options = append(options, kgo.DisableAutoCommit())
	}
	if group.ServerSide {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	}
	client, err := kgo.NewClient(options...)
	member.Must(err, "client")
	for ctx.Err() == nil {
		fetches := client.PollRecords(ctx, 1000)
		for _, e := range fetches.Errors() {
			if ctx.Err() == nil {
				member.Refused(e.Err)
			}
		}
		_, generation := client.GroupMetadata()
		ends := map[int32]int64{}
		fetches.EachRecord(func(r *kgo.Record) {
			member.Read(r.Partition, r.Offset)
			ends[r.Partition] = r.Offset + 1
		})
		if !group.Auto && len(ends) > 0 {
			if err := client.CommitRecords(of(generation), fetches.Records()...); err != nil {
				member.Refused(err)
			} else {
				for partition, offset := range ends {
					member.Committed(partition, offset)
				}
			}
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	member.Left()
}

// of lets a commit pass in this generation alone.
func of(generation int32) context.Context {
	return kgo.PreCommitFnContext(context.Background(), func(request *kmsg.OffsetCommitRequest) error {
		if request.Generation != generation {
			return fmt.Errorf("records of generation %d, in generation %d", generation, request.Generation)
		}
		return nil
	})
}
