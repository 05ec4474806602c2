package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/tests/authority"
)

// command is Debian's registry program.
const command = "docker-registry"

// Options say where a registry runs and whom it lets in. The zero value speaks plain HTTP with
// everyone.
type Options struct {
	// Addr is its host:port. Default: a free port of 127.0.0.1.
	Addr string
	// NetworkOf is the PID of a process in whose network namespace it runs. Default: the
	// caller's own.
	NetworkOf int
	// TLS has it speak HTTPS, with a certificate by Authority for loopback and Names.
	TLS bool
	// Authority signs its certificate. Default: one made for it.
	Authority *authority.Authority
	// Names are further DNS names in its certificate.
	Names []string
	// Users are those it lets in, by basic authentication: name to password. Default: everyone.
	Users map[string]string
	// Token has it ask for tokens by this server instead.
	Token *TokenServer
}

// Process is a running docker-registry.
type Process struct {
	// Addr is its host:port.
	Addr string
	// Authority signed its certificate; nil without TLS.
	Authority *authority.Authority

	dir   string
	netns string
	cmd   *exec.Cmd
	ended chan error
}

// Missing says why Debian's registry cannot run here, or returns "".
func Missing() string {
	if _, err := exec.LookPath(command); err != nil {
		return "missing " + command + " (make deps installs it)"
	}
	return ""
}

// Debian starts docker-registry with configuration, log and storage in dir, and returns when
// it answers. It is killed when the calling process ends, however that ends.
func Debian(ctx context.Context, dir string, o Options) (*Process, error) {
	p := &Process{Addr: o.Addr, dir: dir, ended: make(chan error, 1)}
	if o.NetworkOf != 0 {
		p.netns = filepath.Join("/proc", strconv.Itoa(o.NetworkOf), "ns/net")
	}
	if p.Addr == "" {
		addr, err := p.freePort()
		if err != nil {
			return nil, fmt.Errorf("start the registry: %w", err)
		}
		p.Addr = addr
	}
	if err := p.configure(o); err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "registry.log"))
	if err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	defer log.Close()
	p.cmd = exec.Command(command, "serve", p.configFile())
	p.cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	if err := p.answers(ctx); err != nil {
		said, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("start the registry: %w: %s", err, said), p.Stop())
	}
	return p, nil
}

// start runs the program from a thread of its own: the child inherits that thread's network
// namespace, and the kernel's parent-death signal is bound to that thread's life.
func (p *Process) start() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, the thread may be in another namespace
		if err := p.enter(); err != nil {
			started <- err
			return
		}
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.ended <- p.cmd.Wait()
			close(p.ended)
		}
	}()
	return <-started
}

func (p *Process) enter() error {
	if p.netns == "" {
		return nil
	}
	ns, err := os.Open(p.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", p.netns, err)
	}
	return nil
}

// there runs f in the registry's network namespace.
func (p *Process) there(f func() error) error {
	if p.netns == "" {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := p.enter(); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

func (p *Process) freePort() (addr string, err error) {
	err = p.there(func() error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addr = l.Addr().String()
		return l.Close()
	})
	return addr, err
}

// Transport reaches the registry from this process, and trusts its certificate.
func (p *Process) Transport() http.RoundTripper {
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var c net.Conn
		err := p.there(func() (err error) {
			c, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, addr)
			return err
		})
		return c, err
	}}
	if p.Authority != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: p.Authority.Pool(), MinVersion: tls.VersionTLS12}
	}
	return t
}

// URL is the registry's root, as "https://127.0.0.1:5000".
func (p *Process) URL() string {
	if p.Authority != nil {
		return "https://" + p.Addr
	}
	return "http://" + p.Addr
}

func (p *Process) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := http.Client{Transport: p.Transport()}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+"/v2/", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			return resp.Body.Close() // also the one that asks who is there
		}
		select {
		case end := <-p.ended:
			return fmt.Errorf("%s ended: %w", command, end)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the registry. Its storage stays.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the registry: %w", err)
	}
	select {
	case <-p.ended: // how it took the signal is no matter
	case <-time.After(10 * time.Second):
		if err := p.cmd.Process.Kill(); err != nil {
			return fmt.Errorf("stop the registry: %w", err)
		}
		<-p.ended
	}
	return nil
}
