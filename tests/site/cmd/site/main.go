package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/raket/raket/tests/site"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o site.Options
	flags := flag.NewFlagSet("site", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:0", "`host:port`; discovery wants port 443")
	flags.BoolVar(&o.PlainHTTP, "http", false, "speak HTTP without a certificate")
	flags.Func("name", "certify a DNS `name`", func(name string) error {
		o.Names = append(o.Names, name)
		return nil
	})
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: site [-addr HOST:PORT] [-http] [-name NAME]… DIR")
		return 2
	}
	if err := serve(ctx, *addr, flags.Arg(0), o, stdout); err != nil {
		fmt.Fprintln(stderr, "site:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, addr, dir string, o site.Options, stdout io.Writer) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s, err := site.Serve(l, o)
	if err != nil {
		return err
	}
	if err := fill(s, dir); err != nil {
		return errors.Join(err, s.Close())
	}
	if s.Authority != nil {
		if err := os.WriteFile(filepath.Clean(dir)+".pem", s.Authority.PEM(), 0o644); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	fmt.Fprintln(stdout, "ready", s.Addr)
	<-ctx.Done()
	return s.Close()
}

// configFile says what is to be known of a site beyond its files.
const configFile = "site.json"

type config struct {
	Pages map[string]map[string]string `json:"pages"`
	Files map[string]site.File         `json:"files"`
}

func fill(s *site.Site, dir string) error {
	var c config
	text, err := os.ReadFile(filepath.Join(dir, configFile))
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", configFile, err)
	}
	for page, tags := range c.Pages {
		var list []site.Meta
		for _, name := range slices.Sorted(maps.Keys(tags)) {
			list = append(list, site.Meta{Name: name, Content: tags[name]})
		}
		s.Page(page, list...)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == configFile {
			return err
		}
		at := strings.TrimPrefix(path, filepath.Clean(dir))
		f := c.Files[at]
		delete(c.Files, at)
		f.Path = cmp.Or(f.Path, path)
		s.Put(at, f)
		return nil
	})
	for at, f := range c.Files {
		s.Put(at, f)
	}
	return err
}
