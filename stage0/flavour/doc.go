// Package flavour finds stage1 images: what isolates the apps of a pod.
//
// A flavour that is installed as a directory is copied once into raket's data
// directory, and pods use the copy: an upgrade of the installed one touches no
// pod that runs, not even when one of its apps restarts.
package flavour
