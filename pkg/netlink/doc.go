// Package netlink writes attributes of netlink messages (netlink(7), rtnetlink(7)).
//
// It must not import other packages of raket, nor anything that starts slowly: programs inside
// pods link it.
package netlink
