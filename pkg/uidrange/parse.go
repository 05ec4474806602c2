package uidrange

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Range are Count IDs from Base on.
type Range struct{ Base, Count uint32 }

// Wish is what was asked for: no range (the zero value), one to be picked at the pod's
// start, or this one.
type Wish struct {
	Pick  bool
	Range Range
}

// Size is how many IDs a pod has that nobody said more about: all that an image usually
// knows of, nobody (65534) included.
const Size = 1 << 16

// maxCount bounds what is locked for a pod.
const maxCount = 16 * Size

// Parse reads the value of --private-users: no, pick, or BASE[:COUNT]; rkt's true and false
// and podman's auto are taken too.
func Parse(text string) (Wish, error) {
	switch text {
	case "no", "false":
		return Wish{}, nil
	case "pick", "auto", "yes", "true":
		return Wish{Pick: true, Range: Range{Count: Size}}, nil
	}
	first, second, counted := strings.Cut(text, ":")
	base, err := strconv.ParseUint(first, 10, 32)
	count := uint64(Size)
	if err == nil && counted {
		count, err = strconv.ParseUint(second, 10, 32)
	}
	switch {
	case err != nil:
		return Wish{}, errors.New("must be no, pick, or the range's first ID, as 1000000000 or 1000000000:65536")
	case base < Size:
		return Wish{}, fmt.Errorf("the IDs below %d are the host's own users", Size)
	case count == 0 || count > maxCount:
		return Wish{}, fmt.Errorf("a pod has 1 to %d IDs", maxCount)
	case base+count > 1<<32-1:
		return Wish{}, errors.New("there are no IDs above 4294967294")
	}
	return Wish{Range: Range{uint32(base), uint32(count)}}, nil
}
