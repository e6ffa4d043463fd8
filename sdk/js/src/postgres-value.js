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

/**
 * What a row may hold:
 * - `bigint` and smaller as `number`, and as `bigint` beyond 2^53; `numeric` as text, for it is exact; `interval` as milliseconds
 * - `timestamp` as `Date`; `date` (`2026-01-31`), `time` and `uuid` as text
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
    case 'timestamp-us': {
      const milliseconds = Number(value.val) / 1000;
      return Math.abs(milliseconds) <= TIME_MS_MAX ? new Date(milliseconds) : new Other('timestamptz', `${value.val} us since 1970`);
    }
    case 'interval-us':
      return Number(value.val) / 1000;
    case 'other':
      return new Other(value.val.typeName, value.val.text);
    default:
      return value.val;
  }
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
  if (value instanceof Date) return { tag: 'timestamp-us', val: int64(BigInt(value.getTime()) * 1000n) };
  if (value instanceof Uint8Array) return { tag: 'bytes', val: value };
  if (value instanceof Other) return { tag: 'other', val: { typeName: value.typeName, text: value.text } };
  return { tag: Array.isArray(value) ? 'list-json' : 'json', val: json('a parameter', value) };
}
