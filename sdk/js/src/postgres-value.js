// What PostgreSQL's values are in JavaScript.

import { int64 } from '#host/engine.js';
import { ConfigurationError } from './errors.js';
import { exact } from './exact.js';
import { clean, json } from './text.js';

const INT64_MAX = 2n ** 63n;
const TIME_MS_MAX = 8_640_000_000_000_000;

/** A value of a type that JavaScript has no word for, as PostgreSQL prints it. */
export class Other {
  /**
   * @param {string} typeName
   * @param {string} text
   */
  constructor(typeName, text) {
    this.typeName = typeName;
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/** A `timestamp` with more than milliseconds: a `Date` that keeps them. */
export class Timestamp extends Date {
  /** @param {bigint} microseconds Since 1970. */
  constructor(microseconds) {
    // Towards the past, also before 1970.
    const beyond = ((microseconds % 1000n) + 1000n) % 1000n;
    super(Number((microseconds - beyond) / 1000n));
    /** Since 1970, with what a `Date` leaves out. @readonly */
    this.microseconds = microseconds;
  }
}

/**
 * What a row may hold:
 * - `bigint` and smaller as `number`, and as `bigint` beyond 2^53; `numeric` as text, for it is exact; `interval` as milliseconds
 * - `timestamp` as `Date`, with microseconds as `Timestamp`, which is one; `date` (`2026-01-31`), `time` and `uuid` as text
 * - `json` as what it holds, an array of a simple type as an array, `bytea` as `Uint8Array`
 * @typedef {null | boolean | number | bigint | string | Date | Uint8Array | Other | unknown[] | { [name: string]: unknown }} Value
 */

/**
 * @param {import('sickbay:plugin/postgres@0.1.0').Value} value
 * @returns {Value}
 */
export function valueHere(value) {
  switch (value.tag) {
    case 'null':
      return null;
    case 'int':
      return exact(value.val);
    case 'json':
    case 'list-json':
      return JSON.parse(value.val);
    case 'timestamp-us':
      return timestampHere(BigInt(value.val));
    case 'interval-us':
      return Number(value.val) / 1000;
    case 'other':
      return new Other(value.val.typeName, value.val.text);
    default:
      return value.val;
  }
}

/** @param {bigint} microseconds */
function timestampHere(microseconds) {
  if (Math.abs(Number(microseconds)) / 1000 > TIME_MS_MAX) return new Other('timestamptz', `${microseconds} us since 1970`);
  return microseconds % 1000n === 0n ? new Date(Number(microseconds / 1000n)) : new Timestamp(microseconds);
}

/**
 * @param {Value | undefined} value
 * @returns {import('sickbay:plugin/postgres@0.1.0').Value}
 */
export function wireValue(value) {
  if (value == null) return { tag: 'null' };
  switch (typeof value) {
    case 'boolean':
      return { tag: 'boolean', val: value };
    case 'number':
      return Number.isSafeInteger(value) ? { tag: 'int', val: int64(BigInt(value)) } : { tag: 'float', val: value };
    case 'bigint':
      return value >= -INT64_MAX && value < INT64_MAX ? { tag: 'int', val: int64(value) } : { tag: 'numeric', val: String(value) };
    case 'string':
      return { tag: 'text', val: clean(value) };
    case 'object':
      return wireObject(value);
    default:
      throw new ConfigurationError(`a parameter is ${typeof value}; hint: \`postgres.Value\` lists what it may be`);
  }
}

/**
 * @param {object} value
 * @returns {import('sickbay:plugin/postgres@0.1.0').Value}
 */
function wireObject(value) {
  if (value instanceof Timestamp) return { tag: 'timestamp-us', val: int64(value.microseconds) };
  if (value instanceof Date) return { tag: 'timestamp-us', val: int64(BigInt(value.getTime()) * 1000n) };
  if (value instanceof Uint8Array) return { tag: 'bytes', val: value };
  if (value instanceof Other) return { tag: 'other', val: { typeName: value.typeName, text: value.text } };
  return { tag: Array.isArray(value) ? 'list-json' : 'json', val: json('a parameter', value) };
}
