// Package prepare fills a pod's directory: images and what was said about them
// go in, and a prepared pod, complete and immutable, comes out.
//
// Nothing of a pod that could not be prepared stays behind; what a killed
// process leaves is an aborted pod that gc removes.
package prepare
