package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	for _, arg := range os.Args[1:] {
		name, list, _ := strings.Cut(arg, "=")
		var n [7]uintptr
		for i, word := range strings.Split(list, ",") {
			v, err := strconv.ParseUint(word, 0, 64)
			if err != nil || i >= len(n) {
				fmt.Fprintf(os.Stderr, "calls: %q: want NAME=NUMBER[,ARGUMENT]\n", arg)
				os.Exit(2)
			}
			n[i] = uintptr(v)
		}
		if _, _, e := unix.RawSyscall6(n[0], n[1], n[2], n[3], n[4], n[5], n[6]); e != 0 {
			fmt.Println(name, unix.ErrnoName(e))
		} else {
			fmt.Println(name, "ok")
		}
	}
}
