package main

import (
	"context"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// firstAck tries until one record is acknowledged, and tells when that was, counted from its own start: who starts the broker
// starts this at the same moment. The topic is made by the broker if it is not there (auto.create.topics.enable).
func firstAck(ctx context.Context, o *options) (*report, error) {
	m, err := o.start()
	if err != nil {
		return nil, err
	}
	for {
		err := o.acknowledged(ctx)
		if err == nil {
			break
		}
		if time.Since(m.begin) > o.patience {
			return nil, err
		}
	}
	r := &report{Verb: "firstack", Records: 1, Bytes: int64(o.size)}
	r.Seconds, r.costs, err = m.stop()
	return r, err
}

// Between two attempts: to connect, and to have the broker take a record that it refuses for now.
const (
	connectAgain = 500 * time.Microsecond
	askAgain     = 2 * time.Millisecond
)

// acknowledged is one attempt. A client is made once there is who answers it: its own waits between two connections are
// longer than the start that is measured.
func (o *options) acknowledged(ctx context.Context) error {
	socket, err := net.DialTimeout("tcp", o.bootstrap, time.Second)
	if err != nil {
		time.Sleep(connectAgain)
		return err
	}
	socket.Close()
	client, err := o.client(kgo.DefaultProduceTopic(o.topic), kgo.AllowAutoTopicCreation(), kgo.DisableIdempotentWrite(),
		kgo.MetadataMinAge(10*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return askAgain }))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return client.ProduceSync(ctx, &kgo.Record{Value: make([]byte, o.size)}).FirstErr()
}
