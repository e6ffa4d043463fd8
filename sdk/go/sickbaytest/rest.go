//go:build !wasip1

package sickbaytest

import (
	"fmt"
	"log/slog"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/secrets"
)

// Bounds of the state of one check and target.
const (
	stateKeysMax     = 64
	stateKeyBytesMax = 128
	stateBytesMax    = 16 << 10
)

// State is what is kept between runs.
type State struct{ Values map[string][]byte }

func (fake *State) Get(key string) ([]byte, bool) {
	value, is := fake.Values[key]
	return value, is
}

func (fake *State) Put(key string, value []byte) error {
	count, size := 1, len(key)+len(value)
	for name, kept := range fake.Values {
		if name != key {
			count, size = count+1, size+len(name)+len(kept)
		}
	}
	switch {
	case len(key) > stateKeyBytesMax:
		return sickbay.QuotaErrorf("a key has at most %d bytes", stateKeyBytesMax)
	case count > stateKeysMax:
		return sickbay.QuotaErrorf("at most %d keys are kept", stateKeysMax)
	case size > stateBytesMax:
		return sickbay.QuotaErrorf("at most %d bytes are kept", stateBytesMax)
	}
	fake.Values[key] = append([]byte{}, value...)
	return nil
}

func (fake *State) Remove(key string) { delete(fake.Values, key) }

// Log is every line that the plugin logged with the logger of its run.
type Log struct{ Lines []Line }

// Line is one log line.
type Line struct {
	Level   slog.Level
	Message string
	Fields  map[string]string
}

func (fake *Log) Write(level slog.Level, message string, fields map[string]string) {
	fake.Lines = append(fake.Lines, Line{level, message, fields})
}

// Secrets only tell what was done with them; one that the test did not add is denied.
type Secrets struct{ Known map[string]secrets.Info }

// Add grants a secret.
func (fake *Secrets) Add(name string) { fake.Known[name] = secrets.Info{Versions: 1} }

func (fake *Secrets) Inspect(secret string) (secrets.Info, error) {
	info, is := fake.Known[secret]
	if !is {
		return info, denied(secret, fmt.Sprintf("secrets = [{ name = %q }]", secret))
	}
	return info, nil
}

// Sign answers what was to be signed with what, once for each version.
func (fake *Secrets) Sign(secret string, algorithm secrets.Algorithm, prefix string, data []byte) ([][]byte, error) {
	info, err := fake.Inspect(secret)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for version := range info.Versions {
		all = append(all, fmt.Appendf(nil, "%s:%s%s:%d:%s", algorithm, prefix, secret, version, data))
	}
	return all, nil
}

// Encode answers what was to be encoded how.
func (fake *Secrets) Encode(text string, encoding secrets.Encoding) (string, error) {
	return fmt.Sprintf("%s(%s)", encoding, text), nil
}
