package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"
)

// A plain connection: requests go out in versions without a flexible header, answers are read or left.
type plain struct{ net.Conn }

// answerMax is the longest answer that is read; those of a topic of many partitions are some hundred kilobytes.
const answerMax = 16 << 20

// connect opens one whose receive buffer is `buffer` bytes, or the system's choice for 0.
func connect(address string, buffer int) (plain, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second, Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if buffer == 0 {
			return nil
		}
		outer := raw.Control(func(fd uintptr) {
			// Before it is connected, so that the window is announced accordingly.
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
		})
		return errors.Join(outer, err)
	}}
	socket, err := dialer.Dial("tcp", address)
	return plain{socket}, err
}

// put sends a request.
func (p plain) put(request kmsg.Request) error {
	head := kbin.AppendInt16(make([]byte, 4), request.Key())
	head = kbin.AppendInt16(head, request.GetVersion())
	head = kbin.AppendInt32(head, 1)
	head = kbin.AppendString(head, "bench")
	frame := request.AppendTo(head)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	_, err := p.Write(frame)
	return err
}

// ask sends a request and reads its answer.
func (p plain) ask(request kmsg.Request) (kmsg.Response, error) {
	if err := p.put(request); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > answerMax {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(p, body); err != nil {
		return nil, err
	}
	answer := request.ResponseKind()
	answer.SetVersion(request.GetVersion())
	return answer, answer.ReadFrom(body)
}

// greet asks what a client asks first.
func (p plain) greet() error {
	versions := kmsg.NewPtrApiVersionsRequest()
	if _, err := p.ask(versions); err != nil {
		return err
	}
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 1
	metadata.Topics = []kmsg.MetadataRequestTopic{}
	_, err := p.ask(metadata)
	return err
}

// isOpen looks, without waiting, whether the broker has closed it.
func (p plain) isOpen() (open bool) {
	raw, err := p.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		open = err == unix.EAGAIN || err == nil && n > 0
	})
	return open
}

// openers is how many connections are opened at once.
const openers = 32

// openAll opens -connections and does `first` with each.
func (o *options) openAll(buffer int, first func(k int, p plain) error) ([]plain, error) {
	open := make([]plain, o.connections)
	var work sync.WaitGroup
	errs := make(chan error, openers)
	for worker := range openers {
		work.Go(func() {
			for k := worker; k < o.connections; k += openers {
				p, err := connect(o.bootstrap, buffer)
				if err == nil {
					open[k] = p
					err = first(k, p)
				}
				if err != nil {
					errs <- fmt.Errorf("connection %d: %w", k, err)
					return
				}
			}
		})
	}
	work.Wait()
	close(errs)
	return open, <-errs
}

// idle opens connections and leaves them alone. Each that the broker has closed by the end is an error.
func idle(_ context.Context, o *options) (*report, error) {
	m, err := o.start()
	if err != nil {
		return nil, err
	}
	open, err := o.openAll(0, func(_ int, p plain) error { return p.greet() })
	if err != nil {
		return nil, err
	}
	r := &report{Verb: "idle", Connections: len(open)}
	if r.Seconds, r.costs, err = m.stop(); err != nil {
		return nil, err
	}
	if err := r.hold(); err != nil {
		return nil, err
	}
	closed := 0
	for _, p := range open {
		if !p.isOpen() {
			closed++
		}
	}
	if closed > 0 {
		return nil, fmt.Errorf("the broker closed %d of %d connections", closed, len(open))
	}
	return nil, nil
}

// hold prints the report now and waits until stdin ends.
func (r *report) hold() error {
	if err := r.print(); err != nil {
		return err
	}
	untilStdinEnds()
	return nil
}
