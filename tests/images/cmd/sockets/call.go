package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long one call may take: as long as a pod takes to start on a busy machine.
const patience = time.Minute

func call(to string, workers, count int, term <-chan os.Signal) error {
	network, address, _ := strings.Cut(to, ":")
	var done atomic.Bool
	go func() {
		<-term
		done.Store(true)
	}()
	var made, answered, failed atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for !done.Load() {
				if n := made.Add(1); count > 0 && n > int64(count) {
					return
				}
				reply, err := ask(network, address)
				if err != nil {
					failed.Add(1)
					fmt.Fprintln(os.Stderr, "sockets:", err)
					continue
				}
				if answered.Add(1) == 1 || count > 0 {
					fmt.Print(reply)
				}
			}
		})
	}
	wait.Wait()
	fmt.Printf("answered=%d failed=%d\n", answered.Load(), failed.Load())
	return nil
}

// ask makes one call and returns the answer.
func ask(network, address string) (string, error) {
	if network == "vsock" {
		return askLocalVM(address)
	}
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return "", err
	}
	if network == "unixgram" {
		return "sent\n", nil
	}
	reply := make([]byte, maxRequest)
	n, err := c.Read(reply)
	if err != nil {
		return "", err
	}
	return string(reply[:n]), nil
}

// askLocalVM asks by a vsock port of this machine; package net knows no such sockets.
func askLocalVM(port string) (string, error) {
	n, err := strconv.ParseUint(port, 10, 32)
	if err != nil {
		return "", err
	}
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrVM{CID: unix.VMADDR_CID_LOCAL, Port: uint32(n)}); err != nil {
		return "", err
	}
	if _, err := unix.Write(fd, []byte("hello\n")); err != nil {
		return "", err
	}
	reply := make([]byte, maxRequest)
	got, err := unix.Read(fd, reply)
	return string(reply[:max(got, 0)]), err
}
