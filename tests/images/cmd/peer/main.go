package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

// patience is how long a call may take.
const patience = 5 * time.Second

func run(args []string) error {
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	calls := flags.Bool("call", false, "make one call")
	from := flags.String("from", "", "address to call from")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *calls {
		return call(flags.Arg(0), *from)
	}
	failed := make(chan error)
	for _, at := range flags.Args() {
		if err := serve(at, failed); err != nil {
			return err
		}
	}
	if err := ready(); err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	select {
	case err := <-failed:
		return err
	case <-term:
		return nil
	}
}

func ready() error {
	to := os.Getenv("NOTIFY_SOCKET")
	if to == "" {
		return nil
	}
	c, err := net.Dial("unixgram", to)
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("READY=1"))
	return errors.Join(err, c.Close())
}

func call(to, from string) error {
	network, address, _ := strings.Cut(to, ":")
	d := net.Dialer{Timeout: patience}
	if from != "" {
		if network == "udp" {
			d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
		} else {
			d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
		}
	}
	c, err := d.Dial(network, address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if network == "udp" {
		if _, err := c.Write([]byte("?")); err != nil {
			return err
		}
	}
	answer := make([]byte, 256)
	n, err := io.ReadAtLeast(c, answer, 1)
	if err != nil {
		return err
	}
	fmt.Print(string(answer[:n]))
	return nil
}

func serve(at string, failed chan<- error) error {
	network, address, _ := strings.Cut(at, ":")
	if network == "udp" {
		addr, err := net.ResolveUDPAddr(network, address)
		if err != nil {
			return err
		}
		c, err := net.ListenUDP(network, addr)
		if err != nil {
			return err
		}
		go func() { failed <- answerDatagrams(c) }()
		return nil
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	go func() { failed <- answerConnections(l) }()
	return nil
}

func answerConnections(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		fmt.Fprintln(c, answer(c.RemoteAddr(), c.LocalAddr()))
		c.Close()
	}
}

func answerDatagrams(c *net.UDPConn) error {
	buf := make([]byte, 256)
	for {
		_, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		text := answer(net.UDPAddrFromAddrPort(from), c.LocalAddr())
		if _, err := c.WriteToUDPAddrPort([]byte(text+"\n"), from); err != nil {
			fmt.Fprintln(os.Stderr, "peer:", err)
		}
	}
}

func answer(caller, server net.Addr) string {
	from, errFrom := netip.ParseAddrPort(caller.String())
	to, errTo := netip.ParseAddrPort(server.String())
	if err := errors.Join(errFrom, errTo); err != nil {
		return err.Error()
	}
	return from.Addr().Unmap().String() + " " + netip.AddrPortFrom(to.Addr().Unmap(), to.Port()).String()
}
