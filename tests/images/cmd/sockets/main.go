package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sockets:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("sockets", flag.ContinueOnError)
	listen := flags.String("listen", "", "TCP address to listen on")
	once := flags.Bool("once", false, "end after one request")
	to := flags.String("call", "", "NETWORK:ADDRESS to call")
	workers := flags.Int("workers", 1, "callers at a time")
	count := flags.Int("count", 0, "calls in all; 0: until TERM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	if *to != "" {
		return call(*to, *workers, *count, term)
	}
	return serve(*listen, *once, term)
}
