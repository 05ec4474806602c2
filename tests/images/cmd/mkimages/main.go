package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/raket/raket/tests/images"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("mkimages", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cache := flags.String("cache", "", "`directory` to build into (default: the test cache)")
	push := flags.String("push", "", "registry `host:port` to push to")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	names := flags.Args()
	if len(names) == 0 {
		names = images.Names()
	}
	if err := build(ctx, *cache, *push, names, stdout); err != nil {
		fmt.Fprintln(stderr, "mkimages:", err)
		return 1
	}
	return 0
}

func build(ctx context.Context, cache, push string, names []string, stdout io.Writer) error {
	if cache == "" {
		var err error
		if cache, err = images.CacheDir(); err != nil {
			return err
		}
	}
	for _, name := range names {
		n, err := images.Ensure(ctx, cache, name)
		if err != nil {
			return err
		}
		if push != "" {
			if err := n.Image.Push(ctx, push+"/"+name+":"+images.Tag, images.PushOptions{}); err != nil {
				return err
			}
		}
		fmt.Fprintf(stdout, "%s %s %s %s\n", n.Name, n.Digest, n.Layout, cmp.Or(n.ACI, "-"))
	}
	return nil
}
