package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long one call may take.
const patience = 10 * time.Second

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
