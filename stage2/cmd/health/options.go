package main

import (
	"errors"
	"strconv"
	"time"
)

type options struct {
	identifier, unit string
	onErrors         bool // descriptor 2 is the journal, and 1 is not
	start            bool
	inApp            bool
	until            time.Duration // 0: do not wait for health
	interval         time.Duration
	delay            time.Duration
	timeout          time.Duration
	retries          int
	startPeriod      time.Duration
	action           string
	groups           []string
	mainCapabilities bool
	app              string
	join             []string // options of join, "--", and the command
}

// parse reads the command line, which stage1 wrote; it is not made for people.
func parse(args []string) (options, error) {
	o := options{timeout: 30 * time.Second, retries: 1}
	for i := 0; i < len(args); i++ {
		name := args[i]
		switch name {
		case "-s":
			o.start = true
			continue
		case "-p":
			o.inApp = true
			continue
		case "-j":
			o.onErrors = true
			continue
		case "-B":
			o.mainCapabilities = true
			continue
		case "--":
			o.join = args[i+1:]
			if o.app == "" {
				return o, errors.New("no app")
			}
			return o, nil
		}
		if name == "" || name[0] != '-' {
			o.app = name
			continue
		}
		if i++; i >= len(args) {
			return o, errors.New(name + " needs a value")
		}
		if err := o.set(name, args[i]); err != nil {
			return o, err
		}
	}
	if o.app == "" || !o.start || o.until != 0 {
		return o, errors.New("no app, or no command")
	}
	return o, nil
}

func (o *options) set(name, value string) error {
	switch name {
	case "-h":
		o.identifier = value
		return nil
	case "-u":
		o.unit = value
		return nil
	case "-a":
		o.action = value
		return nil
	case "-g":
		o.groups = append(o.groups, value)
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	const most = 1 << 36 // milliseconds: two years
	if err != nil || n < 0 || n > most {
		return errors.New(name + " " + strconv.Quote(value) + " is not a number")
	}
	span := time.Duration(n) * time.Millisecond
	switch name {
	case "-y":
		o.until = span
	case "-i":
		o.interval = span
	case "-d":
		o.delay = span
	case "-t":
		o.timeout = span
	case "-r":
		o.retries = int(n)
	case "-S":
		o.startPeriod = span
	default:
		return errors.New("unknown option " + strconv.Quote(name))
	}
	return nil
}
