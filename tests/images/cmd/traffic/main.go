package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "send":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return send(n, args[2])
	case len(args) == 2 && args[0] == "sink":
		return sink(args[1])
	}
	return errors.New("want send N ADDRESS, or sink ADDRESS")
}

func send(n int, address string) error {
	const size, headers = 1000, 28 // of IPv4 and UDP
	conn, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	passed, refused, began := 0, 0, time.Now()
	for range n {
		switch _, err := conn.Write(make([]byte, size)); {
		case err == nil:
			passed += size + headers
		case errors.Is(err, syscall.EPERM):
			refused++
		case errors.Is(err, syscall.ECONNREFUSED): // of one before: nobody listens there
		default:
			return err
		}
	}
	fmt.Println(passed, refused, time.Since(began).Seconds())
	return nil
}

func sink(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, conn)
	if err != nil {
		return err
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return err
	}
	fmt.Println(n, strings.Fields(string(uptime))[0])
	return nil
}
