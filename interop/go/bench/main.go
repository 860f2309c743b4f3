// Command bench puts work on any Kafka broker, and tells what it cost: the load generator of `cargo xtask bench`.
//
//	bench VERB [FLAG...]     `bench help` lists both
//
// Each verb is a file of its own; `options.go` has the flags that they share. At the end one JSON object stands on one line
// of stdout (`report.go`); all else goes to stderr. The exit code is 0 only when the work was done whole.
//
// What it costs the broker is taken from /proc (`cost.go`), so the broker runs on this machine and this is Linux.
// docs/benchmarks.md tells what the generator itself can do against a broker that only answers.
package main

import (
	"context"
	"fmt"
	"os"
)

// verb is one kind of work.
type verb struct {
	name string
	what string
	run  func(context.Context, *options) (*report, error)
}

func verbs() []verb {
	return []verb{
		{"produce", "-records to the topic, as fast as the broker takes them", produce},
		{"consume", "-records from the start of the topic, by each of -readers", consume},
		{"latency", "-rate records a second, and how long they take to their acknowledgement and to each of -readers", latency},
		{"paced", "-rate records a second, nobody reads", paced},
		{"firstack", "tries until one record is acknowledged", firstAck},
		{"idle", "opens -connections, asks for ApiVersions and Metadata on each, and stays until stdin ends", idle},
		{"slow", "-connections that ask for -bytes of the topic and do not read them, until stdin ends", slow},
		{"fill", "reads a hole in -dir until the page cache is full of it, at most -megabytes", fill},
		{"ballast", "holds -megabytes of memory that cannot be paged out, until stdin ends", ballast},
	}
}

func main() {
	if len(os.Args) < 2 || os.Args[1] == "help" {
		usage()
		os.Exit(2)
	}
	for _, v := range verbs() {
		if v.name == os.Args[1] {
			if err := run(v); err != nil {
				fmt.Fprintf(os.Stderr, "bench %s: %v\n", v.name, err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintf(os.Stderr, "bench: no verb %q\n", os.Args[1])
	usage()
	os.Exit(2)
}

func run(v verb) error {
	o, err := parse(v.name, os.Args[2:])
	if err != nil {
		return err
	}
	r, err := v.run(context.Background(), o)
	if r != nil {
		if err := r.print(); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return r.whole()
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: bench VERB [FLAG...]")
	for _, v := range verbs() {
		fmt.Fprintf(os.Stderr, "  %-9s %s\n", v.name, v.what)
	}
	var o options
	flags := o.flags("")
	flags.SetOutput(os.Stderr)
	flags.PrintDefaults()
}
