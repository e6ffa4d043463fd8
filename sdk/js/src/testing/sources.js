// PostgreSQL and Redis of the scripted host: one answer for each statement and command, in order.

import { valueHere, wireValue } from '../postgres-value.js';
import { decode, encode } from '../text.js';
import { AFTER_MS, Script } from './script.js';

/** @typedef {import('sickbay:plugin/postgres@0.1.0').RowSet} RowSet */
/** @typedef {import('sickbay:plugin/redis@0.1.0').Node} Node */
/** @typedef {typeof import('sickbay:plugin/postgres@0.1.0')} PostgresWire */
/** @typedef {typeof import('sickbay:plugin/redis@0.1.0')} RedisWire */
/** @typedef {import('../postgres-value.js').Value} Value */

/** What statements answer, and which were asked. */
export class FakePostgres {
  /** @type {Script<RowSet>} */
  #script;
  /** @type {{ source: string, sql: string, params: Value[], timeoutMs: number | undefined }[]} Every statement, in order. */
  queries = [];

  /** @param {import('./clock.js').FakeClock} clock */
  constructor(clock) {
    this.#script = new Script(clock);
  }

  /**
   * Answers the next statement with these rows: objects, or lists of values. Columns without a name are `column1`, `column2`, ...
   * @param {readonly (readonly Value[] | Readonly<Record<string, Value>>)[]} [rows]
   * @param {{ columns?: readonly string[], affected?: number, truncated?: boolean, afterMs?: number }} [answer]
   */
  reply(rows = [], { columns, affected = 0, truncated = false, afterMs = AFTER_MS } = {}) {
    const first = rows[0] ?? [];
    const named = columns ?? (Array.isArray(first) ? first.map((_, index) => `column${index + 1}`) : Object.keys(first));
    /** @type {RowSet} */
    const answer = {
      columns: named.map((name) => ({ name, typeName: 'text' })),
      rows: rows.map((row) => valuesOf(row, named).map(wireValue)),
      truncated,
      affected: BigInt(affected),
      elapsedUs: Math.round(afterMs * 1000),
    };
    this.#script.add(answer, afterMs);
  }

  /**
   * Fails the next statement: `postgres.refused({ sqlstate: '42P01', message: 'no such table' })`, `new DeniedError(..)`, ...
   * @param {Error} error
   * @param {{ afterMs?: number }} [told]
   */
  fail(error, { afterMs = AFTER_MS } = {}) {
    this.#script.add(error, afterMs);
  }

  /** @type {PostgresWire['run']} */
  run(source, { sql, params, timeoutMs }) {
    this.queries.push({ source, sql, params: params.map(valueHere), timeoutMs });
    return this.#script.next(`\`${sql}\` on ${source}`, timeoutMs);
  }

  /** @type {PostgresWire['runMany']} */
  runMany(source, queries) {
    return queries.map((query) => this.run(source, query));
  }

  /** @type {PostgresWire['runSimple']} */
  runSimple(source, sql, timeoutMs) {
    return this.run(source, { sql, params: [], ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }
}

/**
 * @param {readonly Value[] | Readonly<Record<string, Value>>} row
 * @param {readonly string[]} columns
 * @returns {Value[]}
 */
function valuesOf(row, columns) {
  if (Array.isArray(row)) return row;
  const named = /** @type {Readonly<Record<string, Value>>} */ (row);
  return columns.map((column) => named[column] ?? null);
}

/** What commands reply, and which were asked. */
export class FakeRedis {
  /** @type {Script<Node[]>} */
  #script;
  /** @type {string[]} Every command, its arguments with a space between. */
  commands = [];
  /** @type {string[]} The source of each. */
  sources = [];

  /** @param {import('./clock.js').FakeClock} clock */
  constructor(clock) {
    this.#script = new Script(clock);
  }

  /**
   * Replies to the next command: a number, a text, a list, an object, `null`.
   * @param {unknown} value
   * @param {{ afterMs?: number }} [told]
   */
  reply(value, { afterMs = AFTER_MS } = {}) {
    this.#script.add(nodes(value), afterMs);
  }

  /**
   * The server refuses the next command: `LOADING ...`, `WRONGTYPE ...`.
   * @param {string} message
   * @param {{ afterMs?: number }} [told]
   */
  refuse(message, { afterMs = AFTER_MS } = {}) {
    this.#script.add([{ tag: 'failed', val: message }], afterMs);
  }

  /**
   * The next call fails: `new UnreachableError(..)`, `new DeniedError(..)`, ...
   * @param {Error} error
   * @param {{ afterMs?: number }} [told]
   */
  fail(error, { afterMs = AFTER_MS } = {}) {
    this.#script.add(error, afterMs);
  }

  /** @type {RedisWire['run']} */
  run(source, command, timeoutMs) {
    const text = command.map(decode).join(' ');
    this.sources.push(source);
    this.commands.push(text);
    return this.#script.next(`\`${text}\` on ${source}`, timeoutMs);
  }

  /** @type {RedisWire['runMany']} */
  runMany(source, commands, timeoutMs) {
    return commands.map((command) => this.run(source, command, timeoutMs));
  }
}

/**
 * A value as the contract's flat list.
 * @param {unknown} value
 * @returns {Node[]}
 */
function nodes(value) {
  if (value == null) return [{ tag: 'nil' }];
  switch (typeof value) {
    case 'boolean':
      return [{ tag: 'boolean', val: value }];
    case 'number':
      return [Number.isSafeInteger(value) ? { tag: 'int', val: BigInt(value) } : { tag: 'float', val: value }];
    case 'bigint':
      return [{ tag: 'int', val: value }];
    case 'string':
      return [{ tag: 'bulk', val: encode(value) }];
  }
  if (value instanceof Uint8Array) return [{ tag: 'bulk', val: value }];
  if (Array.isArray(value)) return [{ tag: 'array-of', val: value.length }, ...value.flatMap(nodes)];
  const entries = Object.entries(/** @type {object} */ (value));
  return [{ tag: 'map-of', val: entries.length }, ...entries.flatMap((entry) => entry.flatMap(nodes))];
}
