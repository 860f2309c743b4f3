// Where the broker is, for tests that have an address in their text: put beside them by `cargo xtask suites`, which lets
// them call this. Not built here, since Go leaves out folders whose names begin so.
package main

import (
	"net"
	"os"
	"strconv"
)

// brokerPort is the port in KAFKA_ADDRESS, which is HOST:PORT.
var brokerPort = func() int {
	_, port, err := net.SplitHostPort(os.Getenv("KAFKA_ADDRESS"))
	if err != nil {
		panic("KAFKA_ADDRESS: " + err.Error())
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		panic("KAFKA_ADDRESS: " + err.Error())
	}
	return number
}()

// brokerAt is the broker's address, by one of its host's names.
func brokerAt(host string) string {
	return net.JoinHostPort(host, strconv.Itoa(brokerPort))
}
