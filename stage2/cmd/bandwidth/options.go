package main

import (
	"errors"
	"strconv"
)

type options struct {
	identifier, unit string
	onErrors         bool   // descriptor 2 is the journal, and 1 is not
	modes            string // of the app's streams, if somebody holds them (pkg/streamwire)
	inApp, remove    bool
	bytes            uint64 // a second
	app              string
}

// parse reads the command line, which stage1 wrote; it is not made for people.
func parse(args []string) (o options, err error) {
	for i := 0; i < len(args); i++ {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		switch args[i] {
		case "-p":
			o.inApp = true
		case "-j":
			o.onErrors = true
		case "-h":
			o.identifier = next
			i++
		case "-u":
			o.unit = next
			i++
		case "-m":
			o.modes = next
			i++
		case "-s":
			if o.bytes, err = strconv.ParseUint(next, 10, 63); err != nil || o.bytes == 0 {
				return o, errors.New("not a number of bytes a second: " + strconv.Quote(next))
			}
			i++
		case "-d":
			o.remove = true
		default:
			if o.app != "" || i+1 < len(args) {
				return o, errors.New("unknown option " + strconv.Quote(args[i]))
			}
			o.app = args[i]
		}
	}
	if o.app == "" || o.remove == (o.bytes != 0) {
		return o, errors.New("no app, or nothing to do with it")
	}
	return o, nil
}
