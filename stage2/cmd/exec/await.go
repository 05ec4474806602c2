package main

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// awaitPause is how long to wait before asking again whether anybody listens.
const awaitPause = 5 * time.Millisecond

// await returns when a stream socket listens at an address: "@NAME" of a Unix
// socket, or an IP address as 8 or 32 hexadecimal digits, a colon and the port.
// systemd ends it when that takes too long.
func await(address string) error {
	addr, family, err := streamAddress(address)
	if err != nil {
		return err
	}
	for {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = unix.Connect(fd, addr)
		_ = unix.Close(fd)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return err
		}
		time.Sleep(awaitPause)
	}
}

// streamAddress reads an address of await's. It is net's work, which is too big
// for this program.
func streamAddress(text string) (unix.Sockaddr, int, error) {
	if len(text) > 1 && text[0] == '@' {
		return &unix.SockaddrUnix{Name: text}, unix.AF_UNIX, nil
	}
	bad := errors.New("not an address: " + strconv.Quote(text))
	const v4, v6 = 8, 32
	digits := v4
	if len(text) > v6 {
		digits = v6
	}
	if len(text) <= digits || text[digits] != ':' {
		return nil, 0, bad
	}
	port, err := strconv.ParseUint(text[digits+1:], 10, 16)
	if err != nil {
		return nil, 0, bad
	}
	var ip [16]byte
	for i := range digits / 2 {
		b, err := strconv.ParseUint(text[2*i:2*i+2], 16, 8)
		if err != nil {
			return nil, 0, bad
		}
		ip[i] = byte(b)
	}
	if digits == v4 {
		return &unix.SockaddrInet4{Addr: [4]byte(ip[:4]), Port: int(port)}, unix.AF_INET, nil
	}
	return &unix.SockaddrInet6{Addr: ip, Port: int(port)}, unix.AF_INET6, nil
}
