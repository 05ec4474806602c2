package bare

// Text is a text being put together, in memory that is there from the start. What does not
// fit is left out.
type Text struct {
	b [2048]byte
	n int
}

// Add adds s.
func (t *Text) Add(s string) { t.n += copy(t.b[t.n:len(t.b)-1], s) }

// AddUint adds a decimal number of at least so many digits.
func (t *Text) AddUint(v uint64, digits int) {
	var d [20]byte
	n := len(d)
	for v > 0 || digits > 0 || n == len(d) {
		n--
		d[n] = '0' + byte(v%10)
		v /= 10
		digits--
	}
	t.n += copy(t.b[t.n:len(t.b)-1], d[n:])
}

// Bytes is the text so far.
func (t *Text) Bytes() []byte { return t.b[:t.n] }

// Str is the text so far with a zero byte at its end. It changes with the text.
func (t *Text) Str() Str {
	t.b[t.n] = 0
	return At(&t.b[0])
}
