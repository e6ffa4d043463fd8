// Package postgres asks PostgreSQL by the name of a source, as far as `grants = { postgres = [...] }` allows. Read-only unless the grant says
// otherwise.
//
//	rows, err := postgres.Source("main").Query(run, "SELECT count(*), max(age) FROM jobs WHERE state = $1", "waiting")
//	if err != nil {
//		return nil, err
//	}
//	var waiting int
//	var oldest *time.Duration
//	if err := rows.ScanOne(&waiting, &oldest); err != nil {
//		return nil, err
//	}
//
// The host connects, authenticates and keeps the credentials. The context says how long a statement may take; the source's
// `statement_timeout` and the run's deadline bound it too.
package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
)

// Source is a source of the configuration, by its name.
type Source string

// Statement is one statement with its parameters (`$1`, `$2`, ...).
type Statement struct {
	// At most 64 KiB.
	SQL string
	// At most 256, 1 MiB in all: nil, bool, any integer or float, string, []byte, json.RawMessage, time.Time, time.Duration, and the types of
	// this package.
	Params []any
}

// Values that Go has no type for. A row holds beside them: nil, bool, int64, float64, string, []byte, json.RawMessage, time.Time (in UTC) and
// time.Duration.
type (
	// Numeric is a `numeric`, exact, as text.
	Numeric string
	// UUID is a `uuid`, in lower case with dashes.
	UUID string
	// Date is a `date` as `YYYY-MM-DD`.
	Date string
	// Clock is a `time` as `HH:MM:SS.ffffff`.
	Clock string
	// List is an array of a simple type, as JSON.
	List json.RawMessage
	// Other is a value of any other type, as PostgreSQL prints it.
	Other struct{ TypeName, Text string }
)

// Column is one column of an answer.
type Column struct {
	// As the statement names it; need not be unique.
	Name string
	// PostgreSQL's name of the type.
	TypeName string
}

// Rows are what one statement answered.
type Rows struct {
	// There also when no row came.
	Columns []Column
	Rows    []Row
	// More rows or bytes than the grant allows were there.
	Truncated bool
	// Rows that the statement changed; 0 for one that reads.
	Affected uint64
	// From sending the statement to its last row.
	Elapsed time.Duration
}

// Row is one row: a value for each column.
type Row []any

// Query runs one statement. Without `access = "read-write"` in a read-only transaction, with it in none.
func (source Source) Query(ctx context.Context, sql string, params ...any) (*Rows, error) {
	all, err := source.ask(ctx, "run", Statement{sql, params})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// QueryMany runs at most 32 statements in one transaction; all or none, stops at the first error.
func (source Source) QueryMany(ctx context.Context, statements ...Statement) ([]*Rows, error) {
	return source.ask(ctx, "run-many", statements...)
}

// Show runs one statement by the simple protocol, values as text: PgBouncer's console speaks only this. Without `access = "read-write"` only
// `SHOW` and a word.
func (source Source) Show(ctx context.Context, sql string) (*Rows, error) {
	all, err := source.ask(ctx, "run-simple", Statement{SQL: sql})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// One is the row, where there is exactly one; anything else is what the service did, a failure `content`.
func (rows *Rows) One() (Row, error) {
	if len(rows.Rows) != 1 {
		return nil, sickbay.ServiceErrorf(sickbay.FailureContent, "the statement answered %d rows, not one", len(rows.Rows))
	}
	return rows.Rows[0], nil
}

// ScanOne is [Row.Scan] of the one row.
func (rows *Rows) ScanOne(into ...any) error {
	row, err := rows.One()
	if err != nil {
		return err
	}
	return row.Scan(into...)
}

// Get is a value by the name of its column. Of columns with the same name the first one counts.
func (rows *Rows) Get(row Row, column string) (any, error) {
	for at, one := range rows.Columns {
		if one.Name == column && at < len(row) {
			return row[at], nil
		}
	}
	return nil, sickbay.ServiceErrorf(sickbay.FailureContent, "the answer has no column %s", column)
}

// ServerError is the server's own refusal. Its state (SQLSTATE classes 08, 28, 53, 57 and 58) is what the service did; anything else is the
// statement, or the rights of the source's role, and so the configuration. `errors.As` finds either behind it.
type ServerError struct {
	// Five characters: `42P01`.
	SQLState string
	// `ERROR`, `FATAL`, `PANIC`
	Severity string
	Message  string
	// May be empty.
	Detail string
}

func (err *ServerError) Error() string { return fmt.Sprintf("%s (%s)", err.Message, err.SQLState) }

// Unwrap says whose mistake it was.
func (err *ServerError) Unwrap() error {
	for _, code := range []string{err.SQLState, err.SQLState[:min(2, len(err.SQLState))]} {
		if failure, is := serverStates[code]; is {
			return &sickbay.ServiceError{Failure: failure, Message: err.Error()}
		}
	}
	return &sickbay.PluginError{Kind: sickbay.Configuration, Message: err.Error()}
}

// By the whole code, or by its class.
var serverStates = map[string]string{
	"08":    sickbay.FailureConnection,
	"28":    sickbay.FailureAuthentication,
	"53":    "capacity",
	"53100": "disk",
	"53200": "memory",
	"53300": sickbay.FailureTooManyConnections,
	"57":    "unavailable",
	"57014": sickbay.FailureTimeout,
	"58":    "file-system",
}
