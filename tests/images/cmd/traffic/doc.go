// Command traffic sends or receives, and says how much and when:
//
//	traffic send N ADDRESS   sends N datagrams of a thousand bytes; prints how many bytes the kernel
//	                         took, headers included, how many datagrams it refused, and in how many seconds
//	traffic sink ADDRESS     takes one TCP connection at ADDRESS; prints how many bytes came and the host's
//	                         uptime at their end
package main
