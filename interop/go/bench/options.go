package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are the flags of all verbs. A verb looks at those that concern it.
type options struct {
	bootstrap  string
	topic      string
	partitions int
	config     map[string]*string

	size       int
	records    int64
	acks       string
	codec      string
	idempotent bool
	linger     time.Duration
	batch      int
	inflight   int
	spread     bool
	protocol   string
	producers  int
	readers    int

	rate    int64
	seconds int
	warm    int

	connections int
	bytes       int
	megabytes   int
	dir         string

	pids      []int
	sync      string
	resetPeak bool
	memory    int
	patience  time.Duration
}

// unset says that a flag was not given and that the verb has a default of its own.
const unset = -1

func (o *options) flags(verb string) *flag.FlagSet {
	f := flag.NewFlagSet(verb, flag.ExitOnError)
	f.StringVar(&o.bootstrap, "bootstrap", "127.0.0.1:9092", "HOST:PORT of a broker")
	f.StringVar(&o.topic, "topic", "bench", "")
	f.IntVar(&o.partitions, "partitions", 6, "the topic is created with so many if it does not exist")
	o.config = map[string]*string{}
	f.Func("config", "KEY=VALUE of a created topic; may be repeated", func(s string) error {
		key, value, found := strings.Cut(s, "=")
		if !found {
			return fmt.Errorf("%q is not KEY=VALUE", s)
		}
		o.config[key] = &value
		return nil
	})
	o.recordFlags(f)
	f.Int64Var(&o.rate, "rate", 20_000, "records a second, over all producers")
	f.IntVar(&o.seconds, "seconds", 20, "how long it is measured at that rate")
	f.IntVar(&o.warm, "warm", 10, "seconds at the same rate before, which are not measured")
	f.IntVar(&o.connections, "connections", 100, "")
	f.IntVar(&o.bytes, "bytes", 50<<20, "that each slow connection asks for")
	f.IntVar(&o.megabytes, "megabytes", 1000, "")
	f.StringVar(&o.dir, "dir", ".", "")
	f.Func("pids", "PID[,PID...] of the broker: CPU and memory are reported", func(s string) (err error) {
		o.pids, err = processes(s)
		return err
	})
	f.StringVar(&o.sync, "sync", "", "directory whose file system is synced before and after: what is left to write is part of machine_cpu_s")
	f.BoolVar(&o.resetPeak, "reset-peak", false, "have the broker's peak of memory begin anew (/proc/PID/clear_refs)")
	f.IntVar(&o.memory, "memory", 1000, "megabytes that the generator takes and uses once before it begins; it collects no garbage before they are full")
	f.DurationVar(&o.patience, "patience", time.Minute, "how long nothing may come before the work is given up")
	return f
}

// recordFlags are those that say what is sent and how.
func (o *options) recordFlags(f *flag.FlagSet) {
	f.IntVar(&o.size, "size", 1000, "bytes of a record's value")
	f.Int64Var(&o.records, "records", 1_000_000, "")
	f.StringVar(&o.acks, "acks", "all", "all, 1 or 0")
	f.StringVar(&o.codec, "codec", "none", "none, gzip, snappy, lz4 or zstd")
	f.BoolVar(&o.idempotent, "idempotent", true, "only with -acks all and -protocol newest")
	f.DurationVar(&o.linger, "linger", unset, "default 5ms, for latency and paced none")
	f.IntVar(&o.batch, "batch", 1_000_000, "largest batch in bytes")
	f.IntVar(&o.inflight, "inflight", 5, "requests in flight to the broker; an idempotent producer has 5, and slow 1 unless told")
	f.BoolVar(&o.spread, "spread", false, "records go to the partitions in turn, one by one; else a batch each")
	f.StringVar(&o.protocol, "protocol", "newest", "newest, or 0.10: Produce 2, Fetch 2, magic 1")
	f.IntVar(&o.producers, "producers", 1, "each a client of its own")
	f.IntVar(&o.readers, "readers", 1, "each a client of its own that reads everything")
}

func parse(verb string, arguments []string) (*options, error) {
	o := &options{}
	f := o.flags(verb)
	if err := f.Parse(arguments); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag", f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	if o.linger == unset {
		o.linger = 5 * time.Millisecond
		if verb == "latency" || verb == "paced" {
			o.linger = 0
		}
	}
	if verb == "slow" && !given["inflight"] {
		o.inflight = 1
	}
	if verb == "paced" && !given["warm"] {
		o.warm = 0
	}
	if o.acks != "all" || o.protocol != "newest" {
		o.idempotent = false
	}
	return o, o.check()
}

func (o *options) check() error {
	for name, value := range map[string]int64{
		"size": int64(o.size), "records": o.records, "partitions": int64(o.partitions), "producers": int64(o.producers),
		"readers": int64(o.readers), "rate": o.rate, "seconds": int64(o.seconds), "connections": int64(o.connections),
		"megabytes": int64(o.megabytes), "inflight": int64(o.inflight), "bytes": int64(o.bytes), "memory": int64(o.memory),
	} {
		if value < 1 {
			return fmt.Errorf("-%s is %d, and must be at least 1", name, value)
		}
	}
	if o.size < sequenceBytes {
		return fmt.Errorf("-size is %d, and a record's number needs %d", o.size, sequenceBytes)
	}
	if o.warm < 0 {
		return fmt.Errorf("-warm is %d", o.warm)
	}
	for _, f := range []struct {
		name, value string
		allowed     []string
	}{
		{"acks", o.acks, []string{"all", "1", "0"}},
		{"protocol", o.protocol, []string{"newest", "0.10"}},
		{"codec", o.codec, []string{"none", "gzip", "snappy", "lz4", "zstd"}},
	} {
		if !slices.Contains(f.allowed, f.value) {
			return fmt.Errorf("-%s is %q, and must be one of %s", f.name, f.value, strings.Join(f.allowed, ", "))
		}
	}
	return nil
}

func processes(list string) ([]int, error) {
	var pids []int
	for _, word := range strings.Split(list, ",") {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("%q is not a process id", word)
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
			return nil, fmt.Errorf("no process %d", pid)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
