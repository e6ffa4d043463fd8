package postgres

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/postgres"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func (source Source) ask(ctx context.Context, how string, statements ...Statement) ([]*Rows, error) {
	timeout, err := guest.Deadline(ctx)
	if err != nil {
		return nil, err
	}
	queries := make([]contract.Query, len(statements))
	for at, statement := range statements {
		queries[at] = contract.Query{Sql: statement.SQL, TimeoutMs: timeout}
		if queries[at].Params, err = params(statement.Params); err != nil {
			return nil, err
		}
	}
	switch how {
	case "run-many":
		told, err := value(contract.RunMany(string(source), queries))
		return wire.Each(told, rows), err
	case "run-simple":
		told, err := value(contract.RunSimple(string(source), queries[0].Sql, timeout))
		return []*Rows{rows(told)}, err
	}
	told, err := value(contract.Run(string(source), queries[0]))
	return []*Rows{rows(told)}, err
}

func rows(told contract.RowSet) *Rows {
	return &Rows{
		Columns:   wire.Each(told.Columns, func(told contract.Column) Column { return Column(told) }),
		Rows:      wire.Each(told.Rows, func(told contract.Row) Row { return wire.Each(told, valueHere) }),
		Truncated: told.Truncated,
		Affected:  told.Affected,
		Elapsed:   wire.Microseconds(told.ElapsedUs),
	}
}

func valueHere(told contract.Value) any {
	switch told.Case {
	case contract.ValueNumeric:
		return Numeric(told.Value.(string))
	case contract.ValueJson:
		return json.RawMessage(told.Value.(string))
	case contract.ValueUuid:
		return UUID(told.Value.(string))
	case contract.ValueTimestampUs:
		return time.UnixMicro(told.Value.(int64)).UTC()
	case contract.ValueDate:
		return Date(told.Value.(string))
	case contract.ValueTime:
		return Clock(told.Value.(string))
	case contract.ValueIntervalUs:
		return time.Duration(told.Value.(int64)) * time.Microsecond
	case contract.ValueListJson:
		return List(told.Value.(string))
	case contract.ValueOther:
		return Other(told.Value.(contract.OtherValue))
	}
	// Nil, bool, int64, float64, string and []byte are themselves.
	return told.Value
}

func params(given []any) ([]contract.Value, error) {
	var all []contract.Value
	for at, one := range given {
		value, is := valueThere(one)
		if !is {
			return nil, sickbay.InternalErrorf("the parameter $%d is a %T, which is no value of PostgreSQL", at+1, one)
		}
		all = append(all, value)
	}
	return all, nil
}

func valueThere(given any) (contract.Value, bool) {
	switch value := given.(type) {
	case nil:
		return contract.Value{Case: contract.ValueNull}, true
	case []byte:
		return contract.Value{Case: contract.ValueBytes, Value: value}, true
	case json.RawMessage:
		return contract.Value{Case: contract.ValueJson, Value: string(value)}, true
	case time.Time:
		return contract.Value{Case: contract.ValueTimestampUs, Value: value.UnixMicro()}, true
	case time.Duration:
		return contract.Value{Case: contract.ValueIntervalUs, Value: value.Microseconds()}, true
	case Numeric:
		return contract.Value{Case: contract.ValueNumeric, Value: string(value)}, true
	case UUID:
		return contract.Value{Case: contract.ValueUuid, Value: string(value)}, true
	case Date:
		return contract.Value{Case: contract.ValueDate, Value: string(value)}, true
	case Clock:
		return contract.Value{Case: contract.ValueTime, Value: string(value)}, true
	case List:
		return contract.Value{Case: contract.ValueListJson, Value: string(value)}, true
	case Other:
		return contract.Value{Case: contract.ValueOther, Value: contract.OtherValue(value)}, true
	}
	switch value := reflect.ValueOf(given); {
	case value.Kind() == reflect.Bool:
		return contract.Value{Case: contract.ValueBoolean, Value: value.Bool()}, true
	case value.Kind() == reflect.String:
		return contract.Value{Case: contract.ValueText, Value: value.String()}, true
	case value.CanInt():
		return contract.Value{Case: contract.ValueInt, Value: value.Int()}, true
	case value.CanUint() && value.Uint() < 1<<63:
		return contract.Value{Case: contract.ValueInt, Value: int64(value.Uint())}, true
	case value.CanFloat():
		return contract.Value{Case: contract.ValueFloat, Value: value.Float()}, true
	}
	return contract.Value{}, false
}

func value[Value any](answer abi.Result[Value, contract.PostgresError]) (Value, error) {
	if answer.Err == nil {
		return answer.Value, nil
	}
	if told, is := answer.Err.Value.(contract.ServerError); is {
		return answer.Value, &ServerError{SQLState: told.Sqlstate, Severity: told.Severity, Message: told.Message, Detail: wire.Text(told.Detail)}
	}
	return answer.Value, guest.Error(answer.Err.Case.String(), answer.Err.Value)
}
