package appspec

import (
	"fmt"
	"strconv"
)

// AnnotationNetworkBandwidth has how many bytes a second the app may send to, and receive from,
// others than the pod's own apps, each.
const AnnotationNetworkBandwidth = reservedPrefix + "network-bandwidth"

func (a *App) setNetworkBandwidth(bytes int64) error {
	if bytes <= 0 {
		return fmt.Errorf("network bandwidth of %d bytes a second", bytes)
	}
	a.Spec.Annotations[AnnotationNetworkBandwidth] = strconv.FormatInt(bytes, 10)
	return nil
}

// NetworkBandwidth is what the annotation says; 0 where there is none.
func NetworkBandwidth(spec *Spec) (bytesPerSecond int64, err error) {
	text, ok := spec.Annotations[AnnotationNetworkBandwidth]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("annotation %s: %q is not a number of bytes a second", AnnotationNetworkBandwidth, text)
	}
	return n, nil
}
