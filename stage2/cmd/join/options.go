package main

import (
	"errors"
	"strconv"
)

type options struct {
	tasks      []int
	group      int // -1 for none, as procs and root
	procs      int
	inGroup    bool // it is in group already
	main       int  // 0 for none
	users      int  // -1 for none, as before
	before     int
	namespaces []int
	root       int
	workDir    string
	lenient    bool // of workDir
	uid, gid   int
	gids       []int
	umask      int
	bounding   uint64
	ambient    uint64
	noNewPrivs bool
	filter     string
	terminal   bool
}

// parse reads the command line, which stage1 wrote; it is not made for people.
func parse(args []string) (o options, argv []string, err error) {
	o = options{group: -1, procs: -1, root: -1, users: -1, before: -1, umask: 0o022, workDir: "/"}
	for i := 0; i < len(args); i++ {
		name := args[i]
		switch name {
		case "--":
			if i+1 >= len(args) {
				return o, nil, errors.New("no program to execute")
			}
			return o, args[i+1:], nil
		case "-d":
			o.lenient = true
			continue
		case "-n":
			o.noNewPrivs = true
			continue
		case "-i":
			o.inGroup = true
			continue
		case "-T":
			o.terminal = true
			continue
		}
		if i++; i >= len(args) {
			return o, nil, errors.New(name + " needs a value")
		}
		if err := o.set(name, args[i]); err != nil {
			return o, nil, err
		}
	}
	return o, nil, errors.New("no program to execute")
}

func (o *options) set(name, value string) error {
	base := 10
	switch name {
	case "-w":
		o.workDir = value
		return nil
	case "-f":
		o.filter = value
		return nil
	case "-b", "-a":
		base = 16
	case "-k":
		base = 8
	}
	n, err := strconv.ParseUint(value, base, 64)
	if err == nil && base != 16 && n > 1<<32-1 {
		err = strconv.ErrRange
	}
	if err != nil {
		return errors.New(name + " " + strconv.Quote(value) + " is not a number")
	}
	switch name {
	case "-t":
		o.tasks = append(o.tasks, int(n))
	case "-c":
		o.group = int(n)
	case "-p":
		o.procs = int(n)
	case "-m":
		o.main = int(n)
	case "-N":
		o.namespaces = append(o.namespaces, int(n))
	case "-U":
		o.users = int(n)
	case "-E":
		o.before = int(n)
	case "-r":
		o.root = int(n)
	case "-u":
		o.uid = int(n)
	case "-g":
		o.gid = int(n)
	case "-G":
		o.gids = append(o.gids, int(n))
	case "-k":
		o.umask = int(n)
	case "-b":
		o.bounding = n
	case "-a":
		o.ambient = n
	default:
		return errors.New("unknown option " + strconv.Quote(name))
	}
	return nil
}
