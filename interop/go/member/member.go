// Package member is what the Go members of a group share: their arguments, and the lines that they tell.
//
// Not a client: those are the mains in franzmember, saramamember and so on beside it. The Python, Java and JavaScript
// members have the same lines in their own language; interop/README.md says what each means.
package member

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Session is how long the group waits for a member of which nothing is heard.
const Session = 6 * time.Second

// Heartbeat is how often a member is heard.
const Heartbeat = time.Second

// Interval is how often a member with automatic commits commits.
const Interval = 500 * time.Millisecond

// Group is what the command line says of the group and of its member.
type Group struct {
	// Bootstrap is HOST:PORT, Topic what is read, Name the group's id.
	Bootstrap, Topic, Name string
	// ServerSide asks for the group protocol of KIP-848.
	ServerSide bool
	// Auto leaves commits to the client; else the member commits what it has told, at once.
	Auto bool
	// Old asks for what a client of 2016 speaks.
	Old bool
}

// Main reads the command line. The context ends when stdin does: then a member leaves its group.
func Main() (Group, context.Context) {
	if len(os.Args) != 6 {
		fmt.Fprintf(os.Stderr, "usage: %s HOST:PORT TOPIC GROUP classic|consumer|old manual|auto\n", os.Args[0])
		os.Exit(2)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	protocol := os.Args[4]
	return Group{
		Bootstrap: os.Args[1], Topic: os.Args[2], Name: os.Args[3],
		ServerSide: protocol == "consumer", Old: protocol == "old", Auto: os.Args[5] == "auto",
	}, ctx
}

var stdout sync.Mutex

func line(format string, values ...any) {
	stdout.Lock()
	defer stdout.Unlock()
	fmt.Printf(format+"\n", values...)
}

// Assigned tells partitions that the member reads from now on, beside those that it has.
func Assigned(partitions []int32) { told("assigned", partitions) }

// Revoked tells partitions that the member reads no longer.
func Revoked(partitions []int32) { told("revoked", partitions) }

func told(word string, partitions []int32) {
	if len(partitions) == 0 {
		return
	}
	partitions = slices.Sorted(slices.Values(partitions))
	line("%s %s", word, strings.ReplaceAll(strings.Trim(fmt.Sprint(partitions), "[]"), " ", ","))
}

// Read tells a record.
func Read(partition int32, offset int64) { line("read %d %d", partition, offset) }

// Committed tells that a commit succeeded: a reader would begin at this offset.
func Committed(partition int32, offset int64) { line("committed %d %d", partition, offset) }

// Refused tells why a commit or a fetch did not succeed; the member goes on.
func Refused(err error) { line("refused %v", err) }

// Left tells that the member has left its group.
func Left() { line("left") }

// Must ends the program with `what` if there is an error.
func Must(err error, what string) {
	if err != nil {
		line("failed %s: %v", what, err)
		os.Exit(1)
	}
}
