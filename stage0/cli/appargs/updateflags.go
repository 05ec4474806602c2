package appargs

import (
	"errors"
	"time"
)

// updateFlags say when an app that replaces another counts as good.
func updateFlags() []flag {
	f := func(name, usage string, least time.Duration, field func(*Pod) *time.Duration) flag {
		return flag{
			Flag: Flag{Name: name, Arg: "DURATION", Usage: usage},
			pod: func(p *Pod, v string) error {
				if err := setDuration(field(p), v); err != nil && (least > 0 || v != "0" && v != "0s") {
					return err
				}
				if *field(p) > maxUpdate {
					return errors.New("must be a day at most")
				}
				return nil
			},
		}
	}
	return []flag{
		f("settle", "how long the new app has to run without failing, where it neither says when it is ready nor has its health checked (1s where nothing is said)", 0,
			func(p *Pod) *time.Duration { return p.settle() }),
		f("wait", "how long the new app may take until it is ready or healthy (where nothing is said: as long as --start-timeout and its health check allow)", 1,
			func(p *Pod) *time.Duration { return &p.Wait }),
	}
}

const maxUpdate = 24 * time.Hour

func (p *Pod) settle() *time.Duration {
	if p.Settle == nil {
		p.Settle = new(time.Duration)
	}
	return p.Settle
}
