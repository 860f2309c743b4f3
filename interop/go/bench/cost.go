package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// costs is what work took of the machine, between two moments.
type costs struct {
	Broker   *float64 `json:"broker_cpu_s,omitempty"`       // user and system, of all -pids, from the scheduler's clock
	User     *float64 `json:"broker_user_s,omitempty"`      // its parts, as the kernel's ticks divide it
	System   *float64 `json:"broker_system_s,omitempty"`    //
	Resident *float64 `json:"broker_rss_mb,omitempty"`      // at the end
	Peak     *float64 `json:"broker_peak_rss_mb,omitempty"` // since the process began, or since -reset-peak
	Machine  float64  `json:"machine_cpu_s"`                // all that was busy, kernel threads too, less the generator
	Client   float64  `json:"client_cpu_s"`                 // the generator
}

// meter reads costs from when it was started.
type meter struct {
	o     *options
	begin time.Time
	at    reading
}

// reading is CPU seconds since the machine or the process began.
type reading struct{ broker, user, system, machine, client float64 }

// settle is what comes before a measurement, and must not be part of it: what the file system has left to write of earlier
// work is written, and the broker's peak of memory begins anew.
func (o *options) settle() error {
	if err := o.syncfs(); err != nil {
		return err
	}
	if o.resetPeak {
		for _, pid := range o.pids {
			if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// start settles and begins to measure.
func (o *options) start() (*meter, error) {
	if err := o.settle(); err != nil {
		return nil, err
	}
	return o.measure()
}

// measure begins to measure.
func (o *options) measure() (*meter, error) {
	at, err := o.read()
	return &meter{o: o, begin: time.Now(), at: at}, err
}

// stop tells what it took until now. The machine is read again after the sync.
func (m *meter) stop() (float64, *costs, error) {
	seconds := time.Since(m.begin).Seconds()
	end, err := m.o.read()
	if err != nil {
		return 0, nil, err
	}
	c := &costs{Client: rounded(end.client - m.at.client)}
	if len(m.o.pids) > 0 {
		c.Broker, c.User, c.System = since(end.broker, m.at.broker), since(end.user, m.at.user), since(end.system, m.at.system)
		if c.Resident, err = m.o.memoryOf("VmRSS:"); err != nil {
			return 0, nil, err
		}
		if c.Peak, err = m.o.memoryOf("VmHWM:"); err != nil {
			return 0, nil, err
		}
	}
	if err := m.o.syncfs(); err != nil {
		return 0, nil, err
	}
	if end, err = m.o.read(); err != nil {
		return 0, nil, err
	}
	c.Machine = rounded(end.machine - m.at.machine - (end.client - m.at.client))
	return rounded(seconds), c, nil
}

func since(end, begin float64) *float64 {
	difference := rounded(end - begin)
	return &difference
}

func (o *options) syncfs() error {
	if o.sync == "" {
		return nil
	}
	dir, err := os.Open(o.sync)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}

func (o *options) read() (r reading, err error) {
	for _, pid := range o.pids {
		var clock unix.Timespec
		// The number of a process's own CPU clock: see clock_getcpuclockid(3).
		if err = unix.ClockGettime(int32(^pid<<3|2), &clock); err != nil {
			return r, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		r.broker += float64(clock.Nano()) / 1e9
		user, system, err := ticks(pid)
		if err != nil {
			return r, err
		}
		r.user, r.system = r.user+user, r.system+system
	}
	var own unix.Timespec
	if err = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &own); err != nil {
		return r, err
	}
	r.client = float64(own.Nano()) / 1e9
	r.machine, err = busy()
	return r, err
}

// ticksPerSecond is what Linux tells times in to programs, on every platform.
const ticksPerSecond = 100

// ticks are the user and system seconds of a process.
func ticks(pid int) (user, system float64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name in brackets may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if user, err = strconv.ParseFloat(fields[11], 64); err != nil {
		return 0, 0, err
	}
	system, err = strconv.ParseFloat(fields[12], 64)
	return user / ticksPerSecond, system / ticksPerSecond, err
}

// busy is how long the machine's processors were not idle, over all of them.
func busy() (seconds float64, err error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	// user, nice, system, not idle, not iowait, irq, softirq; what was stolen by other machines is none of it.
	for _, column := range []int{1, 2, 3, 6, 7} {
		value, err := strconv.ParseFloat(fields[column], 64)
		if err != nil {
			return 0, err
		}
		seconds += value / ticksPerSecond
	}
	return seconds, nil
}

// memoryOf sums a line of /proc/PID/status over the broker's processes, in MB.
func (o *options) memoryOf(line string) (*float64, error) {
	megabytes := 0.0
	for _, pid := range o.pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
			if rest, found := strings.CutPrefix(lines.Text(), line); found {
				kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				if err != nil {
					return nil, err
				}
				megabytes += kib * 1024 / 1e6
			}
		}
	}
	megabytes = rounded(megabytes)
	return &megabytes, nil
}
