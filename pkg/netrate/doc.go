// Package netrate reads how fast a pod may receive and send by a network, which is said among
// the network's arguments:
//
//	ingressRate=RATE   what comes to the pod, in bits per second: 8M
//	egressRate=RATE    what it sends
//	ingressBurst=BITS  what may pass at once after a pause; a tenth of a second's where nothing
//	egressBurst=BITS   is said, and at least 256k
//
// The names are those of CNI's capability "bandwidth". Numbers are quantities as of memory: M is a
// million, Mi is 1,048,576.
//
// It imports pkg/appspec.
package netrate
