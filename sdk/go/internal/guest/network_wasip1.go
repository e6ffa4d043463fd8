package guest

import (
	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
	"github.com/sickbay/sickbay/sdk/go/network"
)

// Timings are timings as the host tells them.
func Timings(told types.Timings) network.Timings {
	return network.Timings{
		DNS:       wire.OptionalMicroseconds(told.DnsUs),
		Connect:   wire.OptionalMicroseconds(told.ConnectUs),
		TLS:       wire.OptionalMicroseconds(told.TlsUs),
		FirstByte: wire.OptionalMicroseconds(told.FirstByteUs),
		Total:     wire.Microseconds(told.TotalUs),
	}
}

// TLSSession is a session as the host tells it, nil without one.
func TLSSession(told *types.TlsSession) *network.TLSSession {
	if told == nil {
		return nil
	}
	return &network.TLSSession{
		Version: told.Version, Cipher: told.Cipher, Untrusted: wire.Text(told.Untrusted), Chain: wire.Each(told.Chain, certificate),
	}
}

func certificate(told types.Certificate) network.Certificate {
	return network.Certificate{
		Subject:   told.Subject,
		Issuer:    told.Issuer,
		DNSNames:  told.DnsNames,
		NotBefore: wire.Time(told.NotBefore),
		NotAfter:  wire.Time(told.NotAfter),
		SHA256:    told.Sha256,
	}
}
