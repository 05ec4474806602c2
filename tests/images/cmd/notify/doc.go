// Command notify sends notifications to the service manager and then becomes another program:
//
//	notify [-after DURATION] STATE… [-- PROGRAM ARGUMENT…]
//
// as in "notify READY=1 STATUS=up -- sleep 60". The program keeps the PID, so that
// NotifyAccess=main is enough. Without a program it ends when the manager has read what was
// sent. With -after it waits before it sends.
package main
