// Texts and numbers as the contract bounds them.
//
// What crosses the boundary has to fit: a number that is none would pass as 0, and half a character (a lone surrogate, as `JSON.parse` makes
// one of `"\ud800"`) would end the run of some engines with a trap.

import { ConfigurationError } from './errors.js';

export const SUMMARY_BYTES_MAX = 512;
export const MESSAGE_BYTES_MAX = 1 << 10;
export const U32_MAX = 2 ** 32 - 1;

const ELLIPSIS = '…';
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/**
 * UTF-8, with U+FFFD for half a character.
 * @param {string} text
 */
export function encode(text) {
  return ENCODER.encode(text);
}

/**
 * Text, with U+FFFD for what is not UTF-8.
 * @param {Uint8Array} bytes
 */
export function decode(bytes) {
  return DECODER.decode(bytes);
}

/**
 * Bytes of a text, or the bytes that were given.
 * @param {string | Uint8Array} data
 */
export function bytesOf(data) {
  return typeof data === 'string' ? encode(data) : data;
}

/**
 * The text, with U+FFFD for half a character.
 * @param {unknown} text
 */
export function clean(text) {
  return String(text).toWellFormed();
}

/**
 * The text in at most that many bytes of UTF-8; a cut is at a character and ends with `…`.
 * @param {unknown} text
 * @param {number} bytesMax
 */
export function cut(text, bytesMax) {
  const cleaned = clean(text);
  if (cleaned.length * 3 <= bytesMax) return cleaned;
  const bytes = encode(cleaned);
  if (bytes.length <= bytesMax) return cleaned;
  let end = bytesMax - encode(ELLIPSIS).length;
  // Not inside a character: its further bytes begin with 10.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return decode(bytes.subarray(0, end)) + ELLIPSIS;
}

/**
 * A whole number that the contract has room for.
 * @param {string} what
 * @param {number} value
 * @param {number} [maximum]
 */
export function unsigned(what, value, maximum = U32_MAX) {
  if (Number.isInteger(value) && value >= 0 && value <= maximum) return value;
  throw new ConfigurationError(`${what} is ${value}; hint: a whole number from 0 to ${maximum}`);
}

/**
 * A span as the contract has it: whole milliseconds, at least 1; more than 49 days are 49 days.
 * @param {string} what
 * @param {number | undefined} milliseconds
 */
export function span(what, milliseconds) {
  if (milliseconds === undefined) return undefined;
  if (!(milliseconds > 0)) throw new ConfigurationError(`${what} is ${milliseconds}; hint: it must be more than 0`);
  return Math.max(1, Math.round(Math.min(milliseconds, U32_MAX)));
}

/**
 * What JSON can hold, as text. A `bigint` is written as a number.
 * @param {string} what
 * @param {unknown} value
 */
export function json(what, value) {
  const text = JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? Number(inner) : inner));
  if (text === undefined) throw new TypeError(`${what} cannot be written as JSON: it is ${typeof value}`);
  return text;
}

/**
 * A short value for a person: `JSON.stringify`, or what `String` makes of it.
 * @param {unknown} value
 */
export function shown(value) {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.stack ? describeError(value) : String(value);
  try {
    return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? String(value);
  } catch {
    return String(value);
  }
}

/**
 * An error with its stack and its causes. Engines differ in whether the stack repeats the message.
 * @param {Error} error
 * @returns {string}
 */
function describeError(error) {
  const stack = error.stack ?? '';
  const text = stack.includes(error.message) ? stack : `${error}\n${stack}`;
  return error.cause instanceof Error ? `${text.trimEnd()}\ncaused by: ${describeError(error.cause)}` : text.trimEnd();
}
