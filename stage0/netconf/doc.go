// Package netconf knows the networks that pods of this host can join: it reads CNI's
// configuration files, has networks of its own for hosts without any, and resolves what a user
// asked for into what a stage1 needs (stageabi.Network).
//
// Terms: a layer is a directory of configuration files; a network of a later layer replaces
// one of the same name. The foreign layer is the one that raket shares with other programs,
// /etc/cni/net.d: it is read leniently, lies below raket's own networks and is no part of "all".
// A chain is the list of plugins of a network.
//
// Nothing is decided by it that a stage1 could decide later: addresses, interfaces of the host
// and rules are the plugins'. Besides reading files it asks the host only in DetectHost and
// Missing. It imports stage0/config, strictjson and pkg/….
package netconf
