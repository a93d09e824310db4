// go_server.go: the server with Go's net package: a goroutine per connection, on the runtime's epoll.
//
// SPDX-License-Identifier: MIT
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func session(conn net.Conn, times int, size int, work time.Duration) {
	defer conn.Close()
	buffer := make([]byte, size)
	var answer, whole []byte
	if times > 1 {
		whole = make([]byte, size*times)
	}
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if work > 0 {
			for begins := time.Now(); time.Since(begins) < work; {
			}
		}
		if times == 1 {
			answer = buffer[:n]
		} else {
			answer = whole[:n*times]
			for i, b := range buffer[:n] {
				part := answer[i*times : (i+1)*times]
				part[0] = b
				for done := 1; done < times; done *= 2 {
					copy(part[done:], part[:done])
				}
			}
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func main() {
	times := flag.Int("times", 1, "how often a byte comes back")
	size := flag.Int("buffer", 4096, "bytes a receive takes at most")
	work := flag.Int("work", 0, "µs of CPU time that each answer takes")
	identity := flag.String("tls", "", "a file with a certificate and its key: TLS")
	flag.Parse()
	address := "127.0.0.1:7777"
	if flag.NArg() > 0 {
		address = flag.Arg(0)
	}
	runtime.GOMAXPROCS(1) // one CPU, like the others
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if *identity != "" {
		certificate, err := tls.LoadX509KeyPair(*identity, *identity)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		listener = tls.NewListener(listener, &tls.Config{
			Certificates: []tls.Certificate{certificate}})
	}
	fmt.Printf("listening on %s (go) %s, net, GOMAXPROCS 1\n", listener.Addr(), runtime.Version())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.Exit(0)
	}()
	limit := *size
	if largest := (1 << 20) / *times; largest < limit {
		limit = largest
	}
	for {
		conn, err := listener.Accept()
		if err == nil {
			go session(conn, *times, limit, time.Duration(*work)*time.Microsecond)
		}
	}
}
