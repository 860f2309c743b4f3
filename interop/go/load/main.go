// The load of the kill test: numbered records to every partition until told to stop, and the whole topic read back.
//
//	load produce HOST:PORT TOPIC PARTITIONS   creates the topic; "ack PARTITION OFFSET SEQUENCE" for every record that the
//	                                          broker acknowledged, until stdin ends; then "done COUNT". KEY=VALUE may
//	                                          follow: rate=N records per second instead of as many as the broker takes;
//	                                          acks=1 for a producer that is not idempotent; all else is the topic's
//	load purge HOST:PORT TOPIC PARTITIONS     deletes records from the front of the partitions, one after the other, until
//	                                          stdin ends: "purged PARTITION OFFSET" for each that was answered
//	load move HOST:PORT TOPIC PARTITIONS      moves the partitions between the broker's log directories, one after the other,
//	                                          until stdin ends; then "moved COUNT". A broker that is away is waited for
//	load dump HOST:PORT TOPIC PARTITIONS      "start PARTITION OFFSET" for every partition, then "record PARTITION
//	                                          OFFSET SEQUENCE" for every record
//
// The producer is franz-go's own: idempotent, acks=all, retrying for ever. It judges nothing but the bytes of each
// record; what was lost or doubled is found by `cargo xtask kill`, which reads these lines.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// limit bounds the waits of dump and the last flush of produce.
const limit = 120 * time.Second

func main() {
	if len(os.Args) < 5 {
		fail("usage: load produce|move|purge|dump HOST:PORT TOPIC PARTITIONS [KEY=VALUE...]")
	}
	bootstrap, topic := os.Args[2], os.Args[3]
	partitions, err := strconv.Atoi(os.Args[4])
	must(err, "partitions")
	switch os.Args[1] {
	case "produce":
		produce(bootstrap, topic, int32(partitions), os.Args[5:])
	case "move":
		move(bootstrap, topic, int32(partitions))
	case "purge":
		purge(bootstrap, topic, int32(partitions))
	case "dump":
		dump(bootstrap, topic, int32(partitions))
	default:
		fail("no mode %q", os.Args[1])
	}
}

// value is what record `sequence` of a partition holds: the sequence, then noise that it determines.
func value(partition int32, sequence uint64) []byte {
	noise := rand.New(rand.NewSource(int64(sequence)<<8 | int64(partition)))
	out := make([]byte, 8+noise.Intn(400))
	binary.BigEndian.PutUint64(out, sequence)
	noise.Read(out[8:])
	return out
}

func produce(bootstrap, topic string, partitions int32, options []string) {
	rate, settings := 0, map[string]*string{}
	opts := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.StopProducerOnDataLossDetected(),
		// Two refused connections in a row make it wait for metadata, by default until the last were 5 s old.
		kgo.MetadataMinAge(50 * time.Millisecond),
		// A Kafka may not know at once what it has made.
		kgo.UnknownTopicRetries(-1)}
	for _, option := range options {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "rate":
			var err error
			rate, err = strconv.Atoi(value)
			must(err, "records per second")
		case "acks":
			opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
		default:
			settings[key] = &value
		}
	}
	client, err := kgo.NewClient(opts...)
	must(err, "client")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, err = kadm.NewClient(client).CreateTopic(ctx, partitions, 1, settings, topic)
	must(err, "topic creation")

	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	lines := make(chan string, 10_000)
	written := make(chan struct{})
	go write(lines, written)

	sent, began := uint64(0), time.Now()
	for running := true; running; sent++ {
		select {
		case <-stop:
			running = false
		default:
		}
		if rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(rate))))
		}
		partition, sequence := int32(sent%uint64(partitions)), sent/uint64(partitions)
		record := &kgo.Record{Partition: partition, Value: value(partition, sequence)}
		client.Produce(context.Background(), record, func(r *kgo.Record, err error) {
			must(err, fmt.Sprintf("partition %d sequence %d", partition, sequence))
			lines <- fmt.Sprintf("ack %d %d %d\n", partition, r.Offset, sequence)
		})
	}
	last, cancelLast := context.WithTimeout(context.Background(), limit)
	defer cancelLast()
	must(client.Flush(last), "last flush")
	lines <- fmt.Sprintf("done %d\n", sent)
	close(lines)
	<-written
}

func move(bootstrap, topic string, partitions int32) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	must(err, "client")
	admin := kadm.NewClient(client)
	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	moved, from := 0, map[int32]string{}
	for next := int32(0); ; {
		select {
		case <-stop:
			fmt.Printf("moved %d\n", moved)
			return
		case <-time.After(20 * time.Millisecond):
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		var set kadm.TopicsSet
		set.Add(topic, next)
		brokers, err := admin.DescribeAllLogDirs(ctx, set)
		var here, other string
		for _, dir := range brokers.Sorted() {
			partition, found := dir.Topics.Lookup(topic, next)
			switch {
			case found && partition.IsFuture:
				err = fmt.Errorf("it is on its way")
			case found:
				here = dir.Dir
			default:
				other = dir.Dir
			}
		}
		if err == nil && here != "" && other != "" {
			if from[next] != "" && from[next] != here {
				moved++
			}
			from[next] = here
			var request kadm.AlterReplicaLogDirsReq
			request.Add(other, set)
			admin.AlterAllReplicaLogDirs(ctx, request)
			next = (next + 1) % partitions
		}
		cancel()
	}
}

func purge(bootstrap, topic string, partitions int32) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	must(err, "client")
	admin := kadm.NewClient(client)
	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	for next := int32(0); ; next = (next + 1) % partitions {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		starts, err := admin.ListStartOffsets(ctx, topic)
		if err == nil {
			ends, err := admin.ListCommittedOffsets(ctx, topic)
			start, _ := starts.Lookup(topic, next)
			end, _ := ends.Lookup(topic, next)
			if err == nil && start.Err == nil && end.Err == nil && end.Offset > start.Offset {
				var offsets kadm.Offsets
				offsets.AddOffset(topic, next, start.Offset+(end.Offset-start.Offset)/8, -1)
				if answer, err := admin.DeleteRecords(ctx, offsets); err == nil {
					if one, found := answer.Lookup(topic, next); found && one.Err == nil {
						fmt.Printf("purged %d %d\n", next, one.LowWatermark)
					}
				}
			}
		}
		cancel()
	}
}

// write passes lines on to stdout and never holds one back for want of another.
func write(lines <-chan string, written chan<- struct{}) {
	out := bufio.NewWriter(os.Stdout)
	for line := range lines {
		out.WriteString(line)
		if len(lines) == 0 {
			must(out.Flush(), "stdout")
		}
	}
	must(out.Flush(), "stdout")
	close(written)
}

func dump(bootstrap, topic string, partitions int32) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	asking, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	must(err, "client")
	admin := kadm.NewClient(asking)
	starts, err := admin.ListStartOffsets(ctx, topic)
	must(err, "start offsets")
	must(starts.Error(), "start offsets")
	ends, err := admin.ListEndOffsets(ctx, topic)
	must(err, "end offsets")
	must(ends.Error(), "end offsets")
	out := bufio.NewWriter(os.Stdout)
	from, open := map[int32]kgo.Offset{}, map[int32]int64{}
	for p := range partitions {
		start, _ := starts.Lookup(topic, p)
		fmt.Fprintf(out, "start %d %d\n", p, start.Offset)
		if end, _ := ends.Lookup(topic, p); end.Offset > start.Offset {
			from[p], open[p] = kgo.NewOffset().At(start.Offset), end.Offset
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	must(err, "client")
	for len(open) > 0 {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			fail("fetch from partition %d: %v; offsets left: %v", e.Partition, e.Err, open)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if len(r.Value) < 8 {
				fail("partition %d offset %d: %d bytes, never sent so", r.Partition, r.Offset, len(r.Value))
			}
			sequence := binary.BigEndian.Uint64(r.Value)
			if !bytes.Equal(r.Value, value(r.Partition, sequence)) {
				fail("partition %d offset %d: the bytes of sequence %d are damaged", r.Partition, r.Offset, sequence)
			}
			fmt.Fprintf(out, "record %d %d %d\n", r.Partition, r.Offset, sequence)
			if r.Offset+1 >= open[r.Partition] {
				delete(open, r.Partition)
			}
		})
	}
	must(out.Flush(), "stdout")
}

func must(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func fail(message string, values ...any) {
	fmt.Fprintf(os.Stderr, "load: "+message+"\n", values...)
	os.Exit(1)
}
