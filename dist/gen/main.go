package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/raket/raket/stage0/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "gen: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	const usage = "usage: gen man|completions DIR"
	if len(args) != 2 {
		return errors.New(usage)
	}
	var files map[string][]byte
	var err error
	switch args[0] {
	case "man":
		files = manPages()
	case "completions":
		files, err = completions()
	default:
		return errors.New(usage)
	}
	if err != nil {
		return err
	}
	return write(args[1], files)
}

func write(dir string, files map[string][]byte) error {
	const dirPerm, perm = 0o755, 0o644
	if err := os.MkdirAll(dir, dirPerm); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, perm); err != nil {
			return err
		}
	}
	return nil
}

func completions() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, shell := range cli.Shells() {
		var b bytes.Buffer
		if err := cli.Completion(&b, shell); err != nil {
			return nil, err
		}
		name := "raket." + shell
		if shell == "zsh" {
			name = "_raket" // what zsh looks for in its fpath
		}
		files[name] = b.Bytes()
	}
	return files, nil
}
