package main

import (
	"encoding/json"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/postgres"
	"github.com/sickbay/sickbay/sdk/go/redis"
)

// More are told by the first, the last and a digest.
const rowsToldMax = 20

// params has one of each type that every language has.
func params() []any {
	return []any{
		nil, true, int64(9_007_199_254_740_993), 0.5, "é☃", []byte{0x00, 0xff},
		time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC), json.RawMessage("{}"), postgres.List("[1]"),
	}
}

type postgresConfig struct {
	Source     string   `json:"source" doc:"A source of the configuration"`
	SQL        []string `json:"sql" doc:"The statements"`
	How        string   `json:"how" doc:"How they are run" enum:"each,params,many,simple" default:"each"`
	TellErrors bool     `json:"tell_errors" doc:"Whether an error is a line" default:"false"`
}

var askPostgres = check.Kind[postgresConfig]{
	Name:    "postgres",
	Summary: "Tells what PostgreSQL answered",
	Example: postgresConfig{Source: "main", SQL: []string{"SELECT 1 AS one"}, How: "each"},
	Needs:   []sickbay.Need{{Reason: "runs the statements", Grant: `postgres = [{ source = "{source}" }]`}},
	Metrics: []sickbay.MetricInfo{sickbay.Gauge("elapsed_seconds", "the last statement")},
	Run: func(run *check.Run, config postgresConfig) (*sickbay.Report, error) {
		var told lines
		var last *postgres.Rows
		tell := func(all []*postgres.Rows, err error) error {
			for _, rows := range all {
				last = rows
				if err == nil {
					err = tellRows(&told, rows)
				}
			}
			return told.failed(err, config.TellErrors)
		}
		source := postgres.Source(config.Source)
		if config.How == "many" {
			statements := make([]postgres.Statement, len(config.SQL))
			for at, sql := range config.SQL {
				statements[at].SQL = sql
			}
			if err := tell(source.QueryMany(run, statements...)); err != nil {
				return nil, err
			}
		} else {
			for _, sql := range config.SQL {
				if err := tell(one(ask(run, source, config.How, sql))); err != nil {
					return nil, err
				}
			}
		}
		report := told.report()
		if last != nil {
			report.AddGauge("elapsed_seconds", last.Elapsed.Seconds())
		}
		return report, nil
	},
}

func ask(run *check.Run, source postgres.Source, how, sql string) (*postgres.Rows, error) {
	switch how {
	case "params":
		return source.Query(run, sql, params()...)
	case "simple":
		return source.Show(run, sql)
	}
	return source.Query(run, sql)
}

func one(rows *postgres.Rows, err error) ([]*postgres.Rows, error) {
	if err != nil {
		return nil, err
	}
	return []*postgres.Rows{rows}, nil
}

func tellRows(told *lines, rows *postgres.Rows) error {
	for _, column := range rows.Columns {
		told.add("column %s %s", text(column.Name), text(column.TypeName))
	}
	all := make([][]byte, len(rows.Rows))
	for at, row := range rows.Rows {
		values := make([]string, len(row))
		for place, value := range row {
			var err error
			if values[place], err = sqlValue(value); err != nil {
				return err
			}
		}
		all[at] = []byte(list(values))
	}
	if len(all) > rowsToldMax {
		told.add("rows %d", len(all))
		told.add("first %s", all[0])
		told.add("last %s", all[len(all)-1])
		told.add("%s", digest(all...))
	} else {
		for _, row := range all {
			told.add("row %s", row)
		}
	}
	told.add("truncated %t", rows.Truncated)
	told.add("affected %d", rows.Affected)
	return nil
}

type redisConfig struct {
	Source     string     `json:"source" doc:"A source of the configuration"`
	Commands   [][]string `json:"commands" doc:"The commands, each with its arguments"`
	Together   bool       `json:"together" doc:"In one round trip" default:"false"`
	TellErrors bool       `json:"tell_errors" doc:"Whether an error is a line" default:"false"`
}

var askRedis = check.Kind[redisConfig]{
	Name:    "redis",
	Summary: "Tells what Redis replied",
	Example: redisConfig{Source: "cache", Commands: [][]string{{"PING"}}},
	Needs: []sickbay.Need{
		{Reason: "runs the commands", Grant: `redis = [{ source = "{source}", commands = ["*"], keys = ["*"] }]`},
	},
	Run: func(run *check.Run, config redisConfig) (*sickbay.Report, error) {
		var told lines
		source := redis.Source(config.Source)
		commands := make([][]any, len(config.Commands))
		for at, command := range config.Commands {
			for _, argument := range command {
				commands[at] = append(commands[at], argument)
			}
		}
		if config.Together {
			replies, err := source.DoMany(run, commands...)
			if err := told.failed(err, config.TellErrors); err != nil {
				return nil, err
			}
			for _, one := range replies {
				told.add("reply %s", reply(one))
			}
			return told.report(), nil
		}
		for _, command := range commands {
			answer := source.Do(run, command...)
			if err := answer.Err(); err == nil {
				told.add("reply %s", reply(answer))
			} else if err := told.failed(err, config.TellErrors); err != nil {
				return nil, err
			}
		}
		return told.report(), nil
	},
}
