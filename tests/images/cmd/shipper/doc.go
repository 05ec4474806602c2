// Command shipper follows a log file and prints each of its lines as a JSON object:
//
//	shipper FILE
//
// It follows the file over rename, replacement and truncation, and may start before the file
// is there. It tells its service manager when it is ready, and ends with status 0 on SIGTERM
// or SIGINT, after the lines written until then.
package main
