package main

import (
	"errors"
	"strconv"
)

type options struct {
	identifier string // journal identifier; empty: descriptor 1 is not the journal
	unit       string // the host's unit
	root       string // the app's root; empty: systemd has entered it
	readOnly   bool
	openPaths  bool // of root: the kernel's files in it are not protected
	workDir    string
	notify     bool
	filter     string // file of the system call filter
	bounding   uint64 // capabilities kept
	ambient    uint64
	env        []string
	groups     []string // files by which the app's control groups are joined
	record     string   // app whose end is recorded; nothing is executed
	withParent bool     // the kernel kills the program when its parent dies
	awaited    string   // where somebody has to listen; nothing is executed
	sockets    int      // descriptors that systemd has to have passed
	inApp      bool     // of record: systemd has entered the app's root
}

// allCapabilities leaves the sets as they are.
const allCapabilities = ^uint64(0)

// parse reads the command line, which stage1 wrote; it is not made for people.
func parse(args []string) (options, []string, error) {
	o := options{bounding: allCapabilities}
	for i := 0; i < len(args); i++ {
		value := func() (string, error) {
			i++
			if i >= len(args) {
				return "", errors.New(args[i-1] + " needs a value")
			}
			return args[i], nil
		}
		var err error
		switch args[i] {
		case "--":
			if i+1 >= len(args) {
				return o, nil, errors.New("no program to execute")
			}
			return o, args[i+1:], nil
		case "-R":
			o.root, err = value()
		case "-r":
			o.readOnly = true
		case "-o":
			o.openPaths = true
		case "-w":
			o.workDir, err = value()
		case "-n":
			o.notify = true
		case "-k":
			o.withParent = true
		case "-h":
			o.identifier, err = value()
		case "-u":
			o.unit, err = value()
		case "-e":
			var e string
			e, err = value()
			o.env = append(o.env, e)
		case "-g":
			var g string
			g, err = value()
			o.groups = append(o.groups, g)
		case "-l":
			o.awaited, err = value()
		case "-f":
			o.sockets, err = count(value())
		case "-c":
			o.filter, err = value()
		case "-s":
			o.record, err = value()
		case "-p":
			o.inApp = true
		case "-b":
			o.bounding, err = mask(value())
		case "-a":
			o.ambient, err = mask(value())
		default:
			return o, nil, errors.New("unknown option " + strconv.Quote(args[i]))
		}
		if err != nil {
			return o, nil, err
		}
	}
	if o.record == "" && o.awaited == "" {
		return o, nil, errors.New("no program to execute")
	}
	return o, nil, nil
}

func count(s string, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, errors.New("not a number of descriptors: " + strconv.Quote(s))
	}
	return n, nil
}

func mask(s string, err error) (uint64, error) {
	if err != nil {
		return 0, err
	}
	m, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0, errors.New("not a hexadecimal mask: " + strconv.Quote(s))
	}
	return m, nil
}
