package layer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// xzGuard passes an xz file on and follows its framing, so that no block's
// header reaches the decoder before its dictionary was found small enough: the
// decoder allocates what any header says (xz file format 1.2.1, sections 2 to 5).
type xzGuard struct {
	r *bufio.Reader
	// pass is how many bytes of the current part are still to be passed on.
	pass int64
	next func(*xzGuard) error
	// checkBytes is the length of the check after each block.
	checkBytes int64
	blockBytes int64 // of the compressed data of the block so far
	blocks     int   // of the stream; the decoder remembers each
	dict       int64 // the largest dictionary so far
	err        error
}

const (
	xzMagic     = "\xfd7zXZ\x00"
	xzHeadBytes = 12
	lzma2Filter = 0x21
	// maxXZBlocks is of one stream; xz itself makes them of 3 MiB or more.
	maxXZBlocks = 1 << 14
)

var errXZBlocks = errors.New("decompress: the xz file has too many blocks")

var errXZ = errors.New("decompress: not a well-formed xz file")

// dictBytes looks ahead for the first block's dictionary; 0 where there is no block.
func (g *xzGuard) dictBytes() (int64, error) {
	head, err := g.r.Peek(xzHeadBytes + 1)
	if errors.Is(err, io.EOF) {
		return 0, io.ErrUnexpectedEOF
	}
	if err != nil || head[xzHeadBytes] == 0 {
		return 0, err
	}
	block, err := g.r.Peek(xzHeadBytes + (int(head[xzHeadBytes])+1)*4)
	if err != nil {
		return 0, noEOF(err)
	}
	return xzDict(block[xzHeadBytes:])
}

// Read passes on what is checked, and no more.
func (g *xzGuard) Read(p []byte) (int, error) {
	for g.err == nil && g.pass == 0 {
		g.err = g.next(g)
	}
	if g.err != nil {
		return 0, g.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := g.r.Read(p[:min(int64(len(p)), g.pass)])
	g.pass -= int64(n)
	if err != nil {
		g.err = noEOF(err)
	}
	return n, g.err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// streamHeader is section 2.1.1; the file ends where none follows.
func (g *xzGuard) streamHeader() error {
	head, err := g.r.Peek(4)
	switch {
	case len(head) == 0:
		return err
	case len(head) == 4 && binary.LittleEndian.Uint32(head) == 0:
		g.pass = 4 // stream padding, section 2.2
		return nil
	}
	head, err = g.r.Peek(xzHeadBytes)
	if err != nil {
		return noEOF(err)
	}
	if string(head[:6]) != xzMagic {
		return errXZ
	}
	sizes := [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64} // section 2.1.1.2
	g.checkBytes = sizes[head[7]&0x0f]
	g.pass, g.blocks, g.next = xzHeadBytes, 0, (*xzGuard).block
	return nil
}

// block is a block's header (section 3.1), or the index where there is none.
func (g *xzGuard) block() error {
	first, err := g.r.Peek(1)
	if err != nil {
		return noEOF(err)
	}
	if first[0] == 0 {
		return g.index()
	}
	if g.blocks++; g.blocks > maxXZBlocks {
		return errXZBlocks
	}
	head, err := g.r.Peek((int(first[0]) + 1) * 4)
	if err != nil {
		return noEOF(err)
	}
	dict, err := xzDict(head)
	if err != nil {
		return err
	}
	if dict > max(g.dict, 1<<20) && g.dict > 0 {
		return errors.New("decompress: an xz block has a larger dictionary than the first")
	}
	if g.dict = max(g.dict, dict, 1<<20); dict >= 4<<20 {
		// The decoder makes a dictionary a block; the last one is garbage now.
		runtime.GC()
	}
	g.pass, g.blockBytes, g.next = int64(len(head)), 0, (*xzGuard).chunk
	return nil
}

// chunk is one of LZMA2's, whose lengths are in front of them.
func (g *xzGuard) chunk() error {
	control, err := g.r.Peek(1)
	if err != nil {
		return noEOF(err)
	}
	head, payload := 1, int64(0)
	switch c := control[0]; {
	case c == 0:
		g.pass = 1 + (4-(g.blockBytes+1)%4)%4 + g.checkBytes
		g.next = (*xzGuard).block
		return nil
	case c == 1 || c == 2:
		raw, err := g.r.Peek(3)
		if err != nil {
			return noEOF(err)
		}
		head, payload = 3, int64(binary.BigEndian.Uint16(raw[1:]))+1
	case c >= 0x80:
		raw, err := g.r.Peek(5)
		if err != nil {
			return noEOF(err)
		}
		head, payload = 5, int64(binary.BigEndian.Uint16(raw[3:]))+1
		if c >= 0xc0 {
			head = 6
		}
	default:
		return errXZ
	}
	g.pass = int64(head) + payload
	g.blockBytes += g.pass
	return nil
}

// index is section 4, of which only the length matters here, and the footer.
func (g *xzGuard) index() error {
	// Its records are two numbers of at most nine bytes each. The decoder keeps
	// a record a block: what is too many for the buffer is too many for it.
	for n := 64; ; n *= 2 {
		raw, err := g.r.Peek(min(n, g.r.Size()))
		length, ok := indexBytes(raw)
		if ok {
			g.pass, g.next = length+xzHeadBytes, (*xzGuard).streamHeader
			return nil
		}
		if err != nil {
			return noEOF(err)
		}
		if n >= g.r.Size() {
			return errXZBlocks
		}
	}
}

// indexBytes is the length of the index that raw begins with, if raw has all numbers of it.
func indexBytes(raw []byte) (int64, bool) {
	at := 1
	number := func() (uint64, bool) {
		if at > len(raw) {
			return 0, false
		}
		v, n := binary.Uvarint(raw[at:])
		if n <= 0 {
			return 0, false
		}
		at += n
		return v, true
	}
	count, ok := number()
	for i := uint64(0); ok && i < 2*count; i++ {
		_, ok = number()
	}
	if !ok {
		return 0, false
	}
	return int64(at+(4-at%4)%4) + 4, true
}

// xzDict is the dictionary that a block's header asks for (sections 3.1 and 5.3.1).
func xzDict(head []byte) (int64, error) {
	if len(head) < 8 {
		return 0, errXZ
	}
	flags, at := head[1], 2
	for _, hasSize := range []byte{0x40, 0x80} {
		if flags&hasSize == 0 {
			continue
		}
		for at < len(head) && head[at]&0x80 != 0 {
			at++
		}
		at++
	}
	if flags&3 != 0 || at+3 > len(head) || head[at] != lzma2Filter || head[at+1] != 1 {
		return 0, errors.New("decompress: xz filters other than LZMA2 are not supported")
	}
	bits := head[at+2]
	if bits > 40 {
		return 0, errXZ
	}
	size := int64(2|uint64(bits&1)) << (bits/2 + 11)
	if size > maxWindow {
		return 0, windowError("xz dictionary", size)
	}
	return size, nil
}

func windowError(what string, bytes int64) error {
	return fmt.Errorf("decompress: the %s of %d MiB is larger than the %d MiB allowed", what, bytes>>20, maxWindow>>20)
}
