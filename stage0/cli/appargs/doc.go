// Package appargs reads the arguments of raket run and raket prepare: the
// grammar in which several images stand in one command line, each followed by
// its own flags and its own arguments.
//
//	[POD FLAGS] IMAGE [APP FLAGS] [-- ARGS... [---]] [IMAGE …]
//
// Terms: a pod flag may stand anywhere outside ARGS and means the pod; an app
// flag follows the image it is for. A few flags are both, and mean all apps
// where they stand before the first image. ARGS begin after "--" and end at
// "---" or at the end of the line.
//
// It parses and checks what can be checked by looking at the words alone, and
// opens no file. What a value means is left to pkg/appspec, pkg/podmanifest, pkg/podport and
// pkg/podsocket, the only packages of raket it may import.
package appargs
