package stageabi

// Socket is a socket that an app is handed ready to listen, as sd_listen_fds(3)
// has it.
type Socket struct {
	App  string     `json:"app"`
	Name string     `json:"name"` // what the app finds in LISTEN_FDNAMES
	Kind SocketKind `json:"kind"`
	// Address is the socket's own as the kernel says it, in the words of
	// systemd.socket(5): "[::]:80", "/run/x", "@x", "vsock:2:80".
	Address string `json:"address"`
	// FD is the descriptor that stage1 finds it at: 3 or more. 0: stage1 opens it,
	// in the pod's network.
	FD int `json:"fd,omitempty"`
	// OnDemand has the app start when something arrives at the socket, rather than
	// with the pod.
	OnDemand bool `json:"onDemand,omitempty"`
	// Proxy, if not empty, is where in the pod's network the app listens by itself
	// (ADDRESS:PORT or @NAME): connections are passed on there, and the app gets no
	// descriptor.
	Proxy string `json:"proxy,omitempty"`
}

// SocketKind is the type of a socket.
type SocketKind string

// The kinds.
const (
	SocketStream    SocketKind = "stream"
	SocketDatagram  SocketKind = "datagram"
	SocketSeqpacket SocketKind = "seqpacket"
)
