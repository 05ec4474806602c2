// Raket launches pods of applications under systemd. See package cli.
package main
