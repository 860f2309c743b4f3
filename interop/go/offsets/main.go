// Watches what a group has committed in a topic, from outside of it:
//
//	offsets HOST:PORT TOPIC GROUP
//
// tells "committed PARTITION OFFSET" for each offset that changes, until stdin ends, and "round" after each look. A broker
// that is away is asked again. It judges nothing; `cargo xtask groups` does.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// interval is how long it waits from one look to the next.
const interval = 100 * time.Millisecond

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: offsets HOST:PORT TOPIC GROUP")
		os.Exit(2)
	}
	topic, group := os.Args[2], os.Args[3]
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]))
	if err != nil {
		fmt.Fprintln(os.Stderr, "offsets:", err)
		os.Exit(1)
	}
	admin := kadm.NewClient(client)
	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	last := map[int32]int64{}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		offsets, err := admin.FetchOffsets(ctx, group)
		cancel()
		if err == nil && offsets.Error() == nil {
			for partition, answer := range offsets.Offsets()[topic] {
				if before, seen := last[partition]; !seen || before != answer.At {
					last[partition] = answer.At
					fmt.Printf("committed %d %d\n", partition, answer.At)
				}
			}
			fmt.Println("round")
		}
		select {
		case <-stop:
			return
		case <-time.After(interval):
		}
	}
}
