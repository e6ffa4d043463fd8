// Log lines, to which the host adds the check's name and the run's id. 64 KiB per run, then counted and dropped.
//
//     log.info('fetched', { status: response.status });
//
// `console` goes the same way: `console.info('fetched', { status: 200 })` is the same line.

import * as wire from '#host/log.js';
import { clean, shown } from './text.js';

const FIELDS_MAX = 32;

/** @typedef {'trace' | 'debug' | 'info' | 'warn' | 'error'} Level */
/** @typedef {Readonly<Record<string, unknown>>} Fields At most 32; names at most 64 bytes, values 1 KiB. What is longer is cut. */

/**
 * One line at any level.
 * @param {Level} level
 * @param {string} message
 * @param {Fields} [fields]
 */
export function write(level, message, fields = {}) {
  const told = Object.entries(fields).slice(0, FIELDS_MAX);
  wire.write(level, clean(message), told.map(([name, value]) => ({ name: clean(name), value: clean(shown(value)) })));
}

/** @param {string} message @param {Fields} [fields] */
export function trace(message, fields) {
  write('trace', message, fields);
}

/** @param {string} message @param {Fields} [fields] */
export function debug(message, fields) {
  write('debug', message, fields);
}

/** @param {string} message @param {Fields} [fields] */
export function info(message, fields) {
  write('info', message, fields);
}

/** @param {string} message @param {Fields} [fields] */
export function warn(message, fields) {
  write('warn', message, fields);
}

/** @param {string} message @param {Fields} [fields] */
export function error(message, fields) {
  write('error', message, fields);
}
