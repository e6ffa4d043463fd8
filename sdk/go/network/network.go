// Package network is what http and net both tell of a connection.
package network

import "time"

// Timings are how long each phase took; 0 where it did not happen.
type Timings struct {
	// Looking the name up.
	DNS time.Duration
	// Opening the TCP or UNIX connection.
	Connect time.Duration
	// The TLS handshake.
	TLS time.Duration
	// From sending the request to the first byte of the answer.
	FirstByte time.Duration
	// From the start of the exchange to its last byte, redirects included.
	Total time.Duration
}

// TLSSession is what a TLS handshake agreed on.
type TLSSession struct {
	// `TLS 1.2`, `TLS 1.3`.
	Version string
	// IANA name of the cipher suite.
	Cipher string
	// Why the certificate would be refused (`expired`, `self-signed`, `wrong-name`, ...); empty when it is trusted.
	Untrusted string
	// Leaf first.
	Chain []Certificate
}

// Certificate is one X.509 certificate as the server sent it.
type Certificate struct {
	// Distinguished names: `CN=example.com`.
	Subject, Issuer string
	// DNS names and IP addresses that it is for.
	DNSNames []string
	// When it is valid.
	NotBefore, NotAfter time.Time
	// Fingerprint: 64 lower-case hex digits.
	SHA256 string
}
