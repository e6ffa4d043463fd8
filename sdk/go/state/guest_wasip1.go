package state

import (
	"context"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/state"
)

func get(_ context.Context, key string) ([]byte, bool) {
	value := contract.Get(key)
	if value == nil {
		return nil, false
	}
	return *value, true
}

func put(_ context.Context, key string, value []byte) error {
	if answer := contract.Put(key, value); answer.Err != nil {
		return sickbay.QuotaErrorf("%s", *answer.Err)
	}
	return nil
}

func remove(_ context.Context, key string) { contract.Remove(key) }
