// PostgreSQL by the name of a source, as far as `grants = { postgres = [...] }` allows. Read-only unless the grant says otherwise.
//
//     const waiting = postgres.source('main').query('select count(*) from jobs where state = $1', ['waiting']).value();

import * as wire from '#host/postgres.js';
import { call } from './calls.js';
import { ConfigurationError, ContentError, ServiceError } from './errors.js';
import { valueHere, wireValue } from './postgres-value.js';
import { clean, span } from './text.js';

export { Other, Timestamp } from './postgres-value.js';

/** @typedef {import('./postgres-value.js').Value} Value */

/**
 * One column of an answer.
 * @typedef {{ name: string, typeName: string }} Column
 */

/**
 * What one statement answered. Iterating gives its rows.
 * @template [R=Record<string, any>]
 */
export class Rows {
  /**
   * @param {{
   *   columns: readonly Column[],
   *   values: readonly (readonly Value[])[],
   *   truncated: boolean,
   *   affected: number,
   *   elapsedSeconds: number,
   * }} told
   */
  constructor({ columns, values, truncated, affected, elapsedSeconds }) {
    /** There also when no row came. */
    this.columns = columns;
    /** Each row as a list. */
    this.values = values;
    /** @type {R[]} Each row by the names of its columns; of two columns with one name the last. */
    this.rows = values.map((row) => /** @type {R} */ (Object.fromEntries(columns.map(({ name }, index) => [name, row[index]]))));
    /** More rows or bytes than the grant allows were there. */
    this.truncated = truncated;
    /** Rows that the statement changed; 0 for one that reads. */
    this.affected = affected;
    /** From sending the statement to its last row. */
    this.elapsedSeconds = elapsedSeconds;
  }

  get length() {
    return this.rows.length;
  }

  [Symbol.iterator]() {
    return this.rows.values();
  }

  /**
   * The one row; none or several are what the service did wrong.
   * @returns {R}
   */
  one() {
    const row = this.rows[0];
    if (row !== undefined && this.rows.length === 1) return row;
    throw new ContentError(`the statement answered ${this.rows.length} rows, not one`);
  }

  /**
   * The first value of the one row.
   * @returns {any}
   */
  value() {
    this.one();
    return this.values[0]?.[0];
  }
}

/** The server's state: SQLSTATE classes 08, 28, 53, 57 and 58. */
export class ServerStateError extends ServiceError {
  /**
   * @param {string} failure
   * @param {Refusal} refusal
   */
  constructor(failure, refusal) {
    super(failure, `${refusal.message} (SQLSTATE ${refusal.sqlstate})`);
    this.sqlstate = refusal.sqlstate;
    this.severity = refusal.severity;
    this.detail = refusal.detail ?? undefined;
  }
}

/** The statement itself, or the rights of the source's role: every other SQLSTATE. */
export class StatementError extends ConfigurationError {
  /** @param {Refusal} refusal */
  constructor(refusal) {
    super(`${refusal.message} (SQLSTATE ${refusal.sqlstate})`);
    this.sqlstate = refusal.sqlstate;
    this.severity = refusal.severity;
    this.detail = refusal.detail ?? undefined;
  }
}

/**
 * The server's own refusal.
 * @typedef {{ sqlstate: string, message: string, severity?: string, detail?: string | null | undefined }} Refusal
 */

// By the whole code first, then by its class.
/** @type {Record<string, string>} */
const FAILURES = {
  '08': 'connection',
  28: 'authentication',
  53: 'capacity',
  53100: 'disk',
  53200: 'memory',
  53300: 'too-many-connections',
  57: 'unavailable',
  57014: 'timeout',
  58: 'file-system',
};

/**
 * What the server's refusal means.
 * @param {Refusal} refusal
 */
export function refused(refusal) {
  const failure = FAILURES[refusal.sqlstate] ?? FAILURES[refusal.sqlstate.slice(0, 2)];
  return failure === undefined ? new StatementError(refusal) : new ServerStateError(failure, refusal);
}

/**
 * One statement for `queryMany`.
 * @typedef {{ sql: string, params?: readonly Value[], timeoutMs?: number }} Query
 */

/** A source of the configuration. */
export class Source {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /**
   * One statement with its parameters (`$1`, `$2`, ...). Without `access = "read-write"` in a read-only transaction, with it in none.
   * @template [R=Record<string, any>]
   * @param {string} sql
   * @param {readonly Value[]} [params]
   * @param {{ timeoutMs?: number }} [options] Never past the run's own deadline, nor the source's `statement_timeout`.
   * @returns {Rows<R>}
   */
  query(sql, params = [], { timeoutMs } = {}) {
    return rows(call('postgres', () => wire.run(this.name, wireQuery({ sql, params, timeoutMs })), refused));
  }

  /**
   * At most 32 statements in one transaction; all or none, stops at the first error.
   * @param {readonly Query[]} queries
   * @returns {Rows[]}
   */
  queryMany(queries) {
    return call('postgres', () => wire.runMany(this.name, queries.map(wireQuery)), refused).map((answer) => rows(answer));
  }

  /**
   * The simple protocol, values as text: PgBouncer's console speaks only this. Without `access = "read-write"` only `SHOW` and a word.
   * @param {string} sql
   * @param {{ timeoutMs?: number }} [options]
   * @returns {Rows}
   */
  show(sql, { timeoutMs } = {}) {
    return rows(call('postgres', () => wire.runSimple(this.name, clean(sql), span('timeoutMs', timeoutMs)), refused));
  }
}

/**
 * The source that the configuration calls so.
 * @param {string} name
 */
export function source(name) {
  return new Source(name);
}

/**
 * @param {Query} query
 * @returns {import('sickbay:plugin/postgres@0.1.0').Query}
 */
function wireQuery({ sql, params = [], timeoutMs }) {
  return { sql: clean(sql), params: params.map(wireValue), timeoutMs: span('timeoutMs', timeoutMs) };
}

/**
 * @template R
 * @param {import('sickbay:plugin/postgres@0.1.0').RowSet} answer
 * @returns {Rows<R>}
 */
function rows(answer) {
  return new Rows({
    columns: answer.columns,
    values: answer.rows.map((row) => row.map(valueHere)),
    truncated: answer.truncated,
    affected: Number(answer.affected),
    elapsedSeconds: answer.elapsedUs / 1e6,
  });
}
