package net

import (
	"context"
	"time"

	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/net"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	conversion "github.com/sickbay/sickbay/sdk/go/internal/wire"
	"github.com/sickbay/sickbay/sdk/go/network"
)

func dial(ctx context.Context, target Target) (wire, error) {
	timeout, err := guest.Deadline(ctx)
	if err != nil {
		return nil, err
	}
	handle, err := value(contract.Connect(contract.Target{
		Address:         target.Address,
		Tls:             target.TLS,
		ServerName:      conversion.Optional(target.ServerName),
		AcceptUntrusted: target.AcceptUntrusted,
		TimeoutMs:       timeout,
	}))
	return &open{handle: handle}, err
}

func resolve(_ context.Context, name, kind string) (*Records, error) {
	told, err := value(contract.DnsResolve(name, kind))
	if err != nil {
		return nil, err
	}
	records := &Records{Records: told.Records, Elapsed: conversion.Microseconds(told.ElapsedUs)}
	if told.TtlSeconds != nil {
		records.TTL = time.Duration(*told.TtlSeconds) * time.Second
	}
	return records, nil
}

// An open connection: a handle that the host keeps.
type open struct {
	handle   contract.Connection
	isClosed bool
}

func (open *open) Opened() Opened {
	told := open.handle.Opened()
	return Opened{Peer: told.Peer, Timings: guest.Timings(told.Timings), TLS: guest.TLSSession(told.Tls)}
}

func (open *open) Send(_ context.Context, data []byte) error {
	if err := open.refuseClosed(); err != nil {
		return err
	}
	_, err := value(open.handle.Send(data))
	return err
}

func (open *open) Receive(ctx context.Context, until []byte, bytesMax int) ([]byte, error) {
	if err := open.refuseClosed(); err != nil {
		return nil, err
	}
	timeout, err := guest.Deadline(ctx)
	if err != nil {
		return nil, err
	}
	return value(open.handle.Receive(until, uint32(max(0, bytesMax)), timeout))
}

func (open *open) StartTLS(context.Context) (*network.TLSSession, error) {
	if err := open.refuseClosed(); err != nil {
		return nil, err
	}
	told, err := value(open.handle.StartTls())
	if err != nil {
		return nil, err
	}
	return guest.TLSSession(&told), nil
}

func (open *open) Close() {
	if !open.isClosed {
		open.isClosed = true
		open.handle.Drop()
	}
}

// refuseClosed keeps a handle that is gone from being used, which would end the run.
func (open *open) refuseClosed() error {
	if open.isClosed {
		return guest.Error("invalid", "the connection is closed")
	}
	return nil
}

func value[Value any](answer abi.Result[Value, contract.NetError]) (Value, error) {
	if answer.Err != nil {
		return answer.Value, guest.Error(answer.Err.Case.String(), answer.Err.Value)
	}
	return answer.Value, nil
}
