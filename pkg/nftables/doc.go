// Package nftables speaks to nf_tables, the kernel's packet filter, by its netlink messages
// (linux/netfilter/nf_tables.h): the program nft need not be there.
//
// Terms are the kernel's: a table has chains, a chain has rules, a rule is a list of expressions,
// each of which reads something into the one register used here, compares that, or does
// something; the rule goes on while comparisons hold. A batch is a transaction. Tables are of
// the family inet, IPv4 and IPv6 at once.
//
// Everything is about the network namespace of the calling thread. Programs inside pods link
// this package: it must import nothing that is big or slow.
package nftables
