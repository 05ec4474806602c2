// Package podport reads what is said about published ports: ports of the host that
// lead to a port of a pod.
//
//	NAME:[HOSTIP:]HOSTPORT               a port that an app's image or the pod manifest names
//	[HOSTIP:]HOSTPORT:PODPORT[/PROTOCOL] a port by its number; tcp where nothing is said
//	NAME, NAME:HOSTIP:                   the same with a port of the host that is picked
//	[HOSTIP::]PODPORT[/PROTOCOL]         when the pod starts, by whoever binds it
//
// In the second form both may be ranges of the same length, as 8000-8010. An IPv6 address stands
// in brackets. A first word that is a number or a range is one, though appc lets names be
// numbers.
//
// It imports the standard library and pkg/stageabi.
package podport
