// Conformance-go is the conformance plugin in Go. `tests/conformance/README.md` says what each kind does and how it tells what it saw.
package main

import sickbay "github.com/sickbay/sickbay/sdk/go"

func init() {
	sickbay.Register(sickbay.Plugin{
		Name:    "conformance-go",
		Version: "0.1.0",
		Summary: "What every language must do alike",
		Licence: "Apache-2.0",
		Kinds: []sickbay.Kind{
			asked, reports, end, kept, logged, askHTTP, askPostgres, askRedis, connect, resolve, useFiles, useSecrets, readSystem,
		},
	})
}

func main() {}
