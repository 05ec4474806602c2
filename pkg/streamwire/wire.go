package streamwire

// Frames of a client.
const (
	Hello  = 'H' // one byte: the WantX that the client takes part in
	Size   = 'W' // the client's window: rows and columns, two bytes each, the high one first
	Input  = 'I' // bytes for the app; the next only after the Ack of these
	EndIn  = 'Z' // the app's standard input ends
	Detach = 'D' // the client goes, and the app's terminal stays
)

// Frames for a client.
const (
	Welcome = 'M' // three bytes: the app's Modes
	Refused = 'E' // why, as text; nothing follows
	Output  = 'O' // bytes of standard output, or of the terminal
	Errors  = 'R' // bytes of standard error
	Ack     = 'A' // the Input has reached the app's terminal or pipe
	Lost    = 'N' // how many bytes of output did not wait for the client: eight bytes, the high one first
	End     = 'X' // the app has ended, and this was all
)

// What a client takes part in.
const (
	WantIn byte = 1 << iota
	WantOut
	WantErr
	// WantEnd closes the app's standard input when the client says EndIn; else that
	// only ends the client's part.
	WantEnd
)

// What the last step of an app's start asks for, and the answer.
const (
	AskPipes     = 'S' // the pipes of the app's streams; the answer has them in the order of their numbers
	AskOutput    = 'P' // the same without the input's, for what runs beside the app
	AskTerminal  = 'T' // to take the terminal whose master comes along
	Done         = 'K'
	MaxMessage   = 1 << 10 // of the app's side, in bytes
	MaxFrame     = 16 << 10
	MaxClients   = 64
	AppSocket    = "app"    // where the app's side connects, in the directory of the app's streams
	ClientSocket = "attach" // where clients do
)

// PutUint writes n into the whole of b, the high byte first.
func PutUint(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte(n)
		n >>= 8
	}
}

// Uint reads what PutUint wrote.
func Uint(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}
