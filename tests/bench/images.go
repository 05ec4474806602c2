package main

import (
	"archive/tar"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
)

// busyboxPath is Debian's busybox-static.
const busyboxPath = "/usr/bin/busybox"

// idleCommand is what every idle app runs; it is also how apps are told from helpers when processes are counted.
func idleCommand() []string { return []string{"/bin/sleep", "infinity"} }

// pauseCommand is what podman's infra container runs: the same program, told from an app by its argument.
func pauseCommand() []string { return []string{"/bin/sleep", "100000000"} }

// idleLayer is a root with busybox and nothing else.
func idleLayer(tw *tar.Writer) error {
	for _, dir := range []string{"bin", "dev", "etc", "proc", "run", "sys", "tmp"} {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
			return err
		}
	}
	box, err := os.ReadFile(busyboxPath)
	if err != nil {
		return err
	}
	if err := writeTarFile(tw, "bin/busybox", 0o755, box); err != nil {
		return err
	}
	for _, name := range []string{"sh", "sleep", "true"} {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}); err != nil {
			return err
		}
	}
	return writeTarFile(tw, "etc/passwd", 0o644, []byte("root:x:0:0:root:/:/bin/sh\n"))
}

func writeTarFile(tw *tar.Writer, name string, mode int64, data []byte) error {
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := tw.Write(data)
	return err
}

// bigLayers are four layers of about SIZE bytes together, unpacked: files from 1 KiB to 1 MiB in a tree of directories,
// a tenth of the files incompressible and the rest like text, which gzip takes to about half, as it does a
// distribution's /usr. The content depends on nothing but the size.
func bigLayers(size int64) []layerFunc {
	layers := make([]layerFunc, 4)
	for i := range layers {
		layers[i] = func(tw *tar.Writer) error {
			rng := rand.New(rand.NewPCG(uint64(i), 0x7261_6b65_74))
			words := dictionary(rng)
			var written int64
			for n := 0; written < size/4; n++ {
				if n%64 == 0 {
					dir := fmt.Sprintf("layer%d/d%03d/", i, n/64)
					if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
						return err
					}
				}
				length := int64(1) << (10 + rng.IntN(11)) // log-uniform
				length -= rng.Int64N(length / 2)
				data := make([]byte, length)
				if rng.IntN(10) == 0 {
					fillRandom(data, rng)
				} else {
					fillText(data, words, rng)
				}
				if err := writeTarFile(tw, fmt.Sprintf("layer%d/d%03d/f%06d", i, n/64, n), 0o644, data); err != nil {
					return err
				}
				written += length
			}
			return nil
		}
	}
	return layers
}

func dictionary(rng *rand.Rand) []string {
	words := make([]string, 4096)
	for i := range words {
		var b strings.Builder
		for range 2 + rng.IntN(9) {
			b.WriteByte(byte('a' + rng.IntN(26)))
		}
		words[i] = b.String()
	}
	return words
}

func fillRandom(data []byte, rng *rand.Rand) {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rng.Uint32())
	}
	_, _ = io.ReadFull(rand.NewChaCha8(seed), data) // never fails
}

// fillText writes words, the first of the dictionary much more often than the last, as in real text.
func fillText(data []byte, words []string, rng *rand.Rand) {
	for n := 0; n < len(data); {
		f := rng.Float64()
		n += copy(data[n:], words[int(f*f*f*float64(len(words)))])
		if n < len(data) {
			data[n] = " \n\t=/"[rng.IntN(5)]
			n++
		}
	}
}
