package main

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// What a client may hold back, over all producers of a run.
const (
	bufferedRecords = 200_000
	bufferedBytes   = 256 << 20
	// What franz-go allows a request or an answer to be, and what it adds to the largest batch.
	frameMax = 100 << 20
	around   = 1 << 20
)

// prepare takes the generator's memory, uses each page of it once, and gives it to the garbage collector to deal out: what is
// measured meets neither pages that the machine has to find first nor a collection every few megabytes.
func (o *options) prepare() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(int64(o.memory) << 20)
	const block = 1 << 20
	taken := make([][]byte, 0, o.memory)
	for len(taken) < o.memory*9/10 {
		memory := make([]byte, block)
		for page := 0; page < block; page += 4096 {
			memory[page] = 1
		}
		taken = append(taken, memory)
	}
	runtime.KeepAlive(taken)
	taken = nil
	runtime.GC()
}

func (o *options) client(extra ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(o.bootstrap), kgo.DisableClientMetrics()}
	if o.protocol == "0.10" {
		opts = append(opts, kgo.MaxVersions(kversion.V0_10_0()))
	}
	return kgo.NewClient(append(opts, extra...)...)
}

// admin asks in the newest versions, whatever the work is done in.
func (o *options) admin() (*kadm.Client, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(o.bootstrap), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(client), nil
}

// create makes the topic unless it is there.
func (o *options) create(ctx context.Context) error {
	admin, err := o.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	answer, err := admin.CreateTopic(ctx, int32(o.partitions), 1, o.config, o.topic)
	if err == nil {
		err = answer.Err
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

// offsets are where each partition of the topic begins, or ends.
func (o *options) offsets(ctx context.Context, end bool) (map[string]map[int32]kgo.Offset, error) {
	admin, err := o.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	list := admin.ListStartOffsets
	if end {
		list = admin.ListEndOffsets
	}
	// A topic that was just made may not be known everywhere at once.
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		listed, err := list(ctx, o.topic)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			if time.Since(begin) < 10*time.Second {
				continue
			}
			return nil, err
		}
		from := map[int32]kgo.Offset{}
		listed.Each(func(at kadm.ListedOffset) { from[at.Partition] = kgo.NewOffset().At(at.Offset) })
		return map[string]map[int32]kgo.Offset{o.topic: from}, nil
	}
}

func (o *options) producer() (*kgo.Client, error) {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	acks := map[string]kgo.Acks{"all": kgo.AllISRAcks(), "1": kgo.LeaderAck(), "0": kgo.NoAck()}
	opts := []kgo.Opt{
		kgo.DefaultProduceTopic(o.topic), kgo.UnknownTopicRetries(-1),
		kgo.RequiredAcks(acks[o.acks]), kgo.ProducerBatchCompression(codecs[o.codec]),
		kgo.ProducerLinger(o.linger), kgo.ProducerBatchMaxBytes(int32(o.batch)),
		kgo.BrokerMaxWriteBytes(int32(max(frameMax, o.batch+around))),
		kgo.MaxBufferedRecords(max(bufferedRecords/o.producers, 1000)),
		kgo.MaxBufferedBytes(max(bufferedBytes/o.producers, 3*o.size)),
	}
	if o.spread {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	} else {
		opts = append(opts, kgo.RecordPartitioner(kgo.UniformBytesPartitioner(o.batch, true, true, nil)))
	}
	if !o.idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(o.inflight))
	}
	return o.client(opts...)
}

func (o *options) reader(from map[string]map[int32]kgo.Offset, extra ...kgo.Opt) (*kgo.Client, error) {
	const partitionBytes = 8 << 20
	answer := int32(max(50<<20, o.size+around))
	return o.client(append([]kgo.Opt{kgo.ConsumePartitions(from), kgo.FetchMaxBytes(answer),
		kgo.FetchMaxPartitionBytes(int32(max(partitionBytes, o.size+around))),
		kgo.BrokerMaxReadBytes(2*answer + frameMax)}, extra...)...)
}
