// Package gpgtest makes OpenPGP keys and signatures for tests with gpg, so that
// what is checked is what another implementation made. It imports nothing of
// raket.
package gpgtest
