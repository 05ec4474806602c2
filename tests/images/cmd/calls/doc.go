// Command calls makes the system calls that its arguments name, each as
// NAME=NUMBER[,ARGUMENT]…, and prints "NAME ok" or "NAME ERRNO" for each.
package main
