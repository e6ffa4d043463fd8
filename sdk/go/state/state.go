// Package state keeps small values between the runs of one check and target: rates, trends, cursors.
//
// 64 keys of 128 bytes, 16 KiB in all. They are read before the run and written with its result: a run that fails writes nothing.
package state

import (
	"context"
	"encoding/json"

	sickbay "github.com/sickbay/sickbay/sdk/go"
)

// Get is what was put under that key, by an earlier run or by this one.
func Get(ctx context.Context, key string) (value []byte, isThere bool) { return get(ctx, key) }

// Put keeps a value. The error is a quota, and says which bound it passes.
func Put(ctx context.Context, key string, value []byte) error { return put(ctx, key, value) }

// Remove forgets a key; no matter whether it was there.
func Remove(ctx context.Context, key string) { remove(ctx, key) }

// GetJSON is what was put with [PutJSON]. What cannot be read (another version of the plugin wrote it) counts as absent.
func GetJSON[Value any](ctx context.Context, key string) (value Value, isThere bool) {
	text, isThere := Get(ctx, key)
	if !isThere {
		return value, false
	}
	if json.Unmarshal(text, &value) != nil {
		var none Value
		return none, false
	}
	return value, true
}

// PutJSON keeps a value as JSON.
func PutJSON(ctx context.Context, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return sickbay.InternalErrorf("%T cannot be written as JSON: %w", value, err)
	}
	return Put(ctx, key, text)
}
