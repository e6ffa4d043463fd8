// The kinds `postgres` and `redis`.

import { check, gauge, key, need, postgres, redis } from '@sickbay/sdk';
import { digest, Lines, list, reply, sql, text } from './told.js';

// More are told by the first, the last and a digest.
const ROWS_TOLD_MAX = 20;
// 2026-01-02T03:04:05.678901Z
const TIMESTAMP = new postgres.Timestamp(1_767_323_045_678_901n);
// One of each type that every language has.
const PARAMS = [null, true, 9_007_199_254_740_993n, 0.5, 'é☃', new Uint8Array([0x00, 0xff]), TIMESTAMP, {}, [1]];

export const askPostgres = check({
  name: 'postgres',
  summary: 'Tells what PostgreSQL answered',
  config: {
    source: key.string('A source of the configuration'),
    sql: key.array('The statements', key.string()),
    how: key.oneOf('How they are run', ['each', 'params', 'many', 'simple']).default('each'),
    tell_errors: key.boolean('Whether an error is a line').default(false),
  },
  example: { source: 'main', sql: ['SELECT 1 AS one'] },
  needs: [need('postgres', 'runs the statements', 'postgres = [{ source = "{source}" }]')],
  metrics: [gauge('elapsed_seconds', 'the last statement', 'seconds')],

  run({ config }) {
    const source = postgres.source(config.source);
    const lines = new Lines();
    /** @type {number | undefined} */
    let elapsedSeconds;
    /** @param {postgres.Rows} rows */
    const tell = (rows) => {
      tellRows(lines, rows);
      elapsedSeconds = rows.elapsedSeconds;
    };
    if (config.how === 'many') {
      lines.attempt(config.tell_errors, () => source.queryMany(config.sql.map((statement) => ({ sql: statement }))).forEach(tell));
    } else {
      for (const statement of config.sql) lines.attempt(config.tell_errors, () => tell(ask(source, config.how, statement)));
    }
    const report = lines.report();
    return elapsedSeconds === undefined ? report : report.addMetric('elapsed_seconds', elapsedSeconds, 'seconds');
  },
});

/**
 * @param {postgres.Source} source
 * @param {string} how
 * @param {string} statement
 */
function ask(source, how, statement) {
  switch (how) {
    case 'params':
      return source.query(statement, PARAMS);
    case 'simple':
      return source.show(statement);
    default:
      return source.query(statement);
  }
}

/**
 * @param {Lines} lines
 * @param {postgres.Rows} rows
 */
function tellRows(lines, { columns, values, truncated, affected }) {
  for (const { name, typeName } of columns) lines.push(`column ${text(name)} ${text(typeName)}`);
  const told = values.map((row) => list(row.map((value, index) => sql(value, columns[index]?.typeName ?? ''))));
  if (told.length > ROWS_TOLD_MAX) {
    lines.push(`rows ${told.length}`, `first ${told[0]}`, `last ${told.at(-1)}`, digest(told));
  } else {
    lines.push(...told.map((row) => `row ${row}`));
  }
  lines.push(`truncated ${truncated}`, `affected ${affected}`);
}

export const askRedis = check({
  name: 'redis',
  summary: 'Tells what Redis replied',
  config: {
    source: key.string('A source of the configuration'),
    commands: key.array('The commands, each with its arguments', key.array('', key.string())),
    together: key.boolean('In one round trip').default(false),
    tell_errors: key.boolean('Whether an error is a line').default(false),
  },
  example: { source: 'cache', commands: [['PING']] },
  needs: [need('redis', 'runs the commands', 'redis = [{ source = "{source}", commands = ["*"], keys = ["*"] }]')],

  run({ config }) {
    const source = redis.source(config.source, { binary: true });
    const lines = new Lines();
    /** @param {unknown} told */
    const tell = (told) => lines.push(`reply ${reply(told)}`);
    if (config.together) {
      lines.attempt(config.tell_errors, () => source.runMany(config.commands).forEach(tell));
    } else {
      for (const command of config.commands) lines.attempt(config.tell_errors, () => tell(source.run(...command)));
    }
    return lines.report();
  },
});
