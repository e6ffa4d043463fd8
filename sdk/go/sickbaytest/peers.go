//go:build !wasip1

package sickbaytest

import (
	"bytes"
	"context"
	"strings"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/net"
	"github.com/sickbay/sickbay/sdk/go/network"
)

// Net is what peers and name servers answer, and what they were asked.
type Net struct {
	// Every connection that was asked for.
	Targets []net.Target
	// Every lookup, as `A example.com`.
	Lookups   []string
	dialogues script[*Dialogue]
	lookups   script[*net.Records]
}

// Dialogue is what one connection says, and what it was told.
type Dialogue struct {
	// The session that the connection begins with, and the one that it has after StartTLS; nil without.
	TLS, AfterStartTLS *network.TLSSession
	// Everything that the plugin sent, in order.
	Said     []string
	IsClosed bool
	answers  []byte
}

// Dialogue has the next connection come about, say these things, and then close. TLS may be set on the Answer that is returned.
func (fake *Net) Dialogue(answers ...string) *Scripted[*Dialogue] {
	return fake.dialogues.add(&Dialogue{answers: []byte(strings.Join(answers, ""))}, nil)
}

// Fail has the next connection not come about.
func (fake *Net) Fail(err error) *Scripted[*Dialogue] { return fake.dialogues.add(nil, err) }

// Records answers the next lookup.
func (fake *Net) Records(records ...string) *Scripted[*net.Records] {
	return fake.lookups.add(&net.Records{Records: records, TTL: time.Minute}, nil)
}

// FailLookup fails the next lookup.
func (fake *Net) FailLookup(err error) *Scripted[*net.Records] { return fake.lookups.add(nil, err) }

// Dial is what package net calls.
func (fake *Net) Dial(ctx context.Context, target net.Target) (net.Wire, error) {
	fake.Targets = append(fake.Targets, target)
	dialogue, _, err := fake.dialogues.next(ctx, "a connection to "+target.Address)
	if err != nil {
		return nil, err
	}
	return dialogue, nil
}

// Resolve is what package net calls.
func (fake *Net) Resolve(ctx context.Context, name, kind string) (*net.Records, error) {
	fake.Lookups = append(fake.Lookups, kind+" "+name)
	records, long, err := fake.lookups.next(ctx, kind+" "+name)
	if err != nil {
		return nil, err
	}
	told := *records
	told.Elapsed = long
	return &told, nil
}

func (dialogue *Dialogue) Opened() net.Opened {
	return net.Opened{Peer: "127.0.0.1:1", Timings: network.Timings{Connect: usually, Total: usually}, TLS: dialogue.TLS}
}

func (dialogue *Dialogue) Send(_ context.Context, data []byte) error {
	dialogue.Said = append(dialogue.Said, string(data))
	return nil
}

func (dialogue *Dialogue) Receive(_ context.Context, until []byte, bytesMax int) ([]byte, error) {
	size := min(bytesMax, len(dialogue.answers))
	if len(until) > 0 {
		end := bytes.Index(dialogue.answers[:size], until)
		if end < 0 && size < bytesMax {
			return nil, sickbay.ServiceErrorf(sickbay.FailureProtocol, "the peer closed the connection before the answer was whole")
		}
		if end >= 0 {
			size = end + len(until)
		}
	}
	received := dialogue.answers[:size]
	dialogue.answers = dialogue.answers[size:]
	return received, nil
}

func (dialogue *Dialogue) StartTLS(context.Context) (*network.TLSSession, error) {
	if dialogue.AfterStartTLS == nil {
		return nil, sickbay.ServiceErrorf(sickbay.FailureTLS, "the test scripted no TLS")
	}
	return dialogue.AfterStartTLS, nil
}

func (dialogue *Dialogue) Close() { dialogue.IsClosed = true }

// TLSUntil is a session with one certificate, for `localhost`, that is good until then.
func TLSUntil(notAfter time.Time) *network.TLSSession {
	return &network.TLSSession{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Chain: []network.Certificate{{
		Subject:   "CN=localhost",
		Issuer:    "CN=test",
		DNSNames:  []string{"localhost"},
		NotBefore: begin.AddDate(-1, 0, 0),
		NotAfter:  notAfter,
		SHA256:    strings.Repeat("00", 32),
	}}}
}
