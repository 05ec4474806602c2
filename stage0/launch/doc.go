// Package launch starts pods and acts on them, through the entrypoints of their
// stage1 and the pod's directory. Nothing of it stays resident.
package launch
