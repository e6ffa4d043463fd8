// Package net is connections and names below HTTP, as far as `grants = { net = [...] }` allows: `tcp://host:port`, `tls://host:port`,
// `unix:///path`, `dns://name`.
//
//	connection, err := net.Dial(run, "mail.internal:25")
//	if err != nil {
//		return nil, err
//	}
//	defer connection.Close()
//	banner, err := connection.ReceiveLine(run)
//
// The context says how long a call may take.
package net

import (
	"context"
	"strings"
	"time"

	"github.com/sickbay/sickbay/sdk/go/network"
)

// LineBytesMax is the longest line that ReceiveLine reads.
const LineBytesMax = 8 << 10

// Target is where to connect and how.
type Target struct {
	// `host:port` or `unix:/path`
	Address string
	// TLS from the first byte.
	TLS bool
	// For SNI and the certificate, where it is not the host of the address; also for StartTLS.
	ServerName string
	// Go on with a certificate that is not trusted; Untrusted of the session says why it is not.
	AcceptUntrusted bool
}

// Opened is a connection as it was when it was opened.
type Opened struct {
	// Address and port that answered, or the path of the UNIX socket.
	Peer    string
	Timings network.Timings
	// Nil without TLS.
	TLS *network.TLSSession
}

// Connection is a connection that stands. At most 8 are open at once; one that is open at the end of a run is closed, and costs a warm
// instance.
type Connection struct {
	Opened
	wire wire
}

// wire is an open connection of the host.
type wire interface {
	Opened() Opened
	Send(ctx context.Context, data []byte) error
	Receive(ctx context.Context, until []byte, bytesMax int) ([]byte, error)
	StartTLS(ctx context.Context) (*network.TLSSession, error)
	Close()
}

// Dial connects to `host:port` or `unix:/path`.
func Dial(ctx context.Context, address string) (*Connection, error) {
	return Target{Address: address}.Dial(ctx)
}

// DialTLS connects to `host:port` with TLS from the first byte.
func DialTLS(ctx context.Context, address string) (*Connection, error) {
	return Target{Address: address, TLS: true}.Dial(ctx)
}

// Dial connects. A port is open when there is no error.
func (target Target) Dial(ctx context.Context) (*Connection, error) {
	wire, err := dial(ctx, target)
	if err != nil {
		return nil, err
	}
	return &Connection{Opened: wire.Opened(), wire: wire}, nil
}

// Close closes it; again does nothing.
func (connection *Connection) Close() { connection.wire.Close() }

// Send sends at most 1 MiB. Placeholders of secrets are filled in by the host.
func (connection *Connection) Send(ctx context.Context, data []byte) error {
	return connection.wire.Send(ctx, data)
}

// SendLine sends a text and a line's end, CR and LF.
func (connection *Connection) SendLine(ctx context.Context, line string) error {
	return connection.Send(ctx, []byte(line+"\r\n"))
}

// Receive receives exactly that many bytes; fewer when the peer closes. At most 1 MiB.
func (connection *Connection) Receive(ctx context.Context, size int) ([]byte, error) {
	return connection.wire.Receive(ctx, nil, size)
}

// ReceiveUntil receives up to and with `until`, at most bytesMax bytes.
func (connection *Connection) ReceiveUntil(ctx context.Context, until []byte, bytesMax int) ([]byte, error) {
	return connection.wire.Receive(ctx, until, bytesMax)
}

// ReceiveLine receives one line, without its end and with U+FFFD for what is not UTF-8.
func (connection *Connection) ReceiveLine(ctx context.Context) (string, error) {
	line, err := connection.ReceiveUntil(ctx, []byte("\n"), LineBytesMax)
	return strings.TrimRight(strings.ToValidUTF8(string(line), "\uFFFD"), "\r\n"), err
}

// StartTLS encrypts from here on. It is refused while unread bytes are held.
func (connection *Connection) StartTLS(ctx context.Context) (*network.TLSSession, error) {
	session, err := connection.wire.StartTLS(ctx)
	if err == nil {
		connection.TLS = session
	}
	return session, err
}

// Records are what a lookup found.
type Records struct {
	// As text, in the order they came: `10 mail.example.com`.
	Records []string
	// The lowest time to live among them; 0 where it is not known.
	TTL     time.Duration
	Elapsed time.Duration
}

// Resolve looks a name up; the kind is `A`, `AAAA`, `CNAME`, `MX`, `TXT`, `SRV`, `NS`, ...
func Resolve(ctx context.Context, name, kind string) (*Records, error) {
	return resolve(ctx, name, kind)
}
