package secrets

import (
	"context"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/secrets"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func inspect(_ context.Context, secret string) (Info, error) {
	told, err := value(contract.Inspect(secret))
	return Info{ChangedAt: wire.OptionalTime(told.ChangedAt), Versions: int(told.Versions)}, err
}

func sign(_ context.Context, secret string, algorithm Algorithm, prefix string, data []byte) ([][]byte, error) {
	return value(contract.Sign(secret, string(algorithm), prefix, data))
}

func encode(_ context.Context, text string, encoding Encoding) (string, error) {
	return value(contract.Encode(text, string(encoding)))
}

func value[Value any](answer abi.Result[Value, contract.SecretError]) (Value, error) {
	if answer.Err == nil {
		return answer.Value, nil
	}
	if answer.Err.Case == contract.SecretErrorOther {
		return answer.Value, sickbay.ServiceErrorf(sickbay.FailureSecret, "%v", answer.Err.Value)
	}
	return answer.Value, guest.Error(answer.Err.Case.String(), answer.Err.Value)
}
