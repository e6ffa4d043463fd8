package redis

import (
	"context"
	"strings"

	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/redis"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func ask(ctx context.Context, source Source, command [][]byte) Reply {
	timeout, err := guest.Deadline(ctx)
	if err != nil {
		return Failed(err)
	}
	nodes, err := value(contract.Run(string(source), command, timeout))
	if err != nil {
		return Failed(err)
	}
	return tree(nodes)
}

func askMany(ctx context.Context, source Source, commands [][][]byte) ([]Reply, error) {
	timeout, err := guest.Deadline(ctx)
	if err != nil {
		return nil, err
	}
	replies, err := value(contract.RunMany(string(source), commands, timeout))
	return wire.Each(replies, tree), err
}

func value[Value any](answer abi.Result[Value, contract.RedisError]) (Value, error) {
	if answer.Err == nil {
		return answer.Value, nil
	}
	// The contract has no case for it; the host's message names the setting that refused.
	if text, _ := answer.Err.Value.(string); answer.Err.Case == contract.RedisErrorConnect && strings.Contains(text, "`maxclients`") {
		return answer.Value, guest.Error("too-many-connections", text)
	}
	return answer.Value, guest.Error(answer.Err.Case.String(), answer.Err.Value)
}
