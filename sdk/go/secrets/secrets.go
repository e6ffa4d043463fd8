// Package secrets uses secrets without seeing them, as far as `grants = { secrets = [...] }` allows.
package secrets

import (
	"context"
	"time"
)

// Info is what may be known of a secret.
type Info struct {
	// The zero time where the host cannot know it.
	ChangedAt time.Time
	// 2 while one is being rotated.
	Versions int
}

// Algorithm signs.
type Algorithm string

const (
	HMACSHA256 Algorithm = "hmac-sha256"
	HMACSHA512 Algorithm = "hmac-sha512"
	HMACSHA1   Algorithm = "hmac-sha1"
)

// Encoding writes a text that holds placeholders.
type Encoding string

const (
	Base64  Encoding = "base64"
	Percent Encoding = "percent"
)

// Inspect tells when a secret changed, never what it is.
func Inspect(ctx context.Context, secret string) (Info, error) { return inspect(ctx, secret) }

// Sign answers one signature per active version, newest first, of at most 1 MiB of data.
func Sign(ctx context.Context, secret string, algorithm Algorithm, data []byte) ([][]byte, error) {
	return sign(ctx, secret, algorithm, "", data)
}

// SignPrefixed is [Sign] with a key that is the prefix and then the secret, as AWS has it with `AWS4`.
func SignPrefixed(ctx context.Context, secret string, algorithm Algorithm, prefix string, data []byte) ([][]byte, error) {
	return sign(ctx, secret, algorithm, prefix, data)
}

// Encode answers a new placeholder for a text in that encoding with the placeholders in it filled: HTTP Basic, SMTP AUTH.
func Encode(ctx context.Context, text string, encoding Encoding) (string, error) {
	return encode(ctx, text, encoding)
}
