package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// firstFD is SD_LISTEN_FDS_START.
const firstFD = 3

const maxRequest = 512

type server struct {
	fd   int
	name string
	kind int
}

func serve(listen string, once bool, term <-chan os.Signal) error {
	servers, err := handed()
	if err != nil {
		return err
	}
	if listen != "" {
		own, err := open(listen)
		if err != nil {
			return err
		}
		servers = append(servers, own)
	}
	// TERM arrives at a pipe, to be waited for beside the sockets.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	go func() {
		<-term
		_ = w.Close()
	}()
	poll := []unix.PollFd{{Fd: int32(r.Fd()), Events: unix.POLLIN}}
	for _, s := range servers {
		poll = append(poll, unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN})
	}
	// Nobody need want to know.
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return err
	}
	for {
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return err
		}
		if poll[0].Revents != 0 {
			return nil
		}
		for i, s := range servers {
			if poll[i+1].Revents == 0 {
				continue
			}
			if err := s.answer(); err != nil {
				return err
			}
			if once {
				return nil
			}
		}
	}
}

// handed are the sockets that systemd passed.
func handed() ([]server, error) {
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if n > 0 && os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, fmt.Errorf("LISTEN_PID is %s, this is %d", os.Getenv("LISTEN_PID"), os.Getpid())
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	var servers []server
	for i := range n {
		s := server{fd: firstFD + i, name: names[i]}
		var err error
		if s.kind, err = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
			return nil, err
		}
		addr, err := unix.Getsockname(s.fd)
		if err != nil {
			return nil, err
		}
		fmt.Println(s.name, map[int]string{unix.SOCK_STREAM: "stream", unix.SOCK_DGRAM: "datagram", unix.SOCK_SEQPACKET: "seqpacket"}[s.kind], text(addr))
		servers = append(servers, s)
	}
	return servers, nil
}

func text(addr unix.Sockaddr) string {
	switch a := addr.(type) {
	case *unix.SockaddrUnix:
		return a.Name
	case *unix.SockaddrInet4:
		return net.JoinHostPort(net.IP(a.Addr[:]).String(), strconv.Itoa(a.Port))
	case *unix.SockaddrInet6:
		return net.JoinHostPort(net.IP(a.Addr[:]).String(), strconv.Itoa(a.Port))
	case *unix.SockaddrVM:
		return fmt.Sprintf("vsock:%d", a.Port)
	}
	return fmt.Sprintf("%T", addr)
}

func open(address string) (server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return server{}, err
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return server{}, err
	}
	fd, err := unix.Dup(int(f.Fd()))
	return server{fd: fd, name: "own", kind: unix.SOCK_STREAM}, err
}

// answer answers one request, which is there already.
func (s server) answer() error {
	reply := fmt.Appendf(nil, "%s %d\n", s.name, os.Getpid())
	request := make([]byte, maxRequest)
	if s.kind == unix.SOCK_DGRAM {
		_, from, err := unix.Recvfrom(s.fd, request, 0)
		if err != nil {
			return err
		}
		// One without an address does not want an answer.
		if u, ok := from.(*unix.SockaddrUnix); from == nil || ok && u.Name == "" {
			fmt.Println("got", s.name)
			return nil
		}
		return unix.Sendto(s.fd, reply, 0, from)
	}
	c, _, err := unix.Accept4(s.fd, syscall.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	// The caller's fate is its own: a connection that it has given up is no reason
	// to end.
	if _, err := unix.Read(c, request); err == nil {
		_, _ = unix.Write(c, reply)
	}
	return unix.Close(c)
}
