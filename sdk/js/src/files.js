// Files below the granted directories, by guest path, as far as `grants = { files = [...] }` allows. A link is never followed out of its grant.

import * as wire from '#host/files.js';
import { int64 } from '#host/engine.js';
import { call } from './calls.js';
import { QuotaError } from './errors.js';
import { time } from './network.js';
import { clean, decode, unsigned } from './text.js';

/** What one read answers at most. */
export const READ_BYTES_MAX = 1 << 20;

/**
 * One name and what is behind it. A link is not followed.
 * @typedef {object} FileInfo
 * @property {string} name The last part of the path.
 * @property {string} kind `file`, `directory`, `link`, or another word.
 * @property {number} sizeBytes Of a file; of anything else what the system says.
 * @property {Date} modifiedAt When its content last changed.
 * @property {number} mode Permission bits: `0o640`.
 * @property {boolean} writable By the host's user.
 * @property {string} identity Another value when the name went to another file: the log was rotated.
 */

/**
 * Room on a file system; `inodesTotal` is 0 where it does not count them.
 * @typedef {{ totalBytes: number, availableBytes: number, inodesTotal: number, inodesFree: number }} Space
 */

/**
 * Of the name itself, not of what a link points to.
 * @param {string} path
 * @returns {FileInfo}
 */
export function stat(path) {
  return info(call('files', () => wire.readInfo(clean(path))));
}

/**
 * By name, all of them. A directory with more than `entriesMax` is refused: half of it would mislead.
 * @param {string} path
 * @param {{ entriesMax?: number }} [options]
 * @returns {FileInfo[]}
 */
export function readdir(path, { entriesMax = 10_000 } = {}) {
  /** @type {FileInfo[]} */
  const entries = [];
  for (;;) {
    const page = call('files', () => wire.readDirectory(clean(path), entries.at(-1)?.name));
    if (page.length === 0) return entries;
    entries.push(...page.map(info));
    if (entries.length > entriesMax) throw new QuotaError(`${path} has more than ${entriesMax} entries`);
  }
}

/**
 * At most 1 MiB from `offset` on; empty at the end.
 * @param {string} path
 * @param {{ offset?: number, bytesMax?: number }} [options]
 * @returns {Uint8Array}
 */
export function read(path, { offset = 0, bytesMax = READ_BYTES_MAX } = {}) {
  const from = int64(BigInt(unsigned('offset', offset, Number.MAX_SAFE_INTEGER)));
  return call('files', () => wire.readBytes(clean(path), from, unsigned('bytesMax', bytesMax)));
}

/**
 * The same as text, with U+FFFD for what is not UTF-8.
 * @param {string} path
 * @param {{ offset?: number, bytesMax?: number }} [options]
 */
export function readText(path, options) {
  return decode(read(path, options));
}

/**
 * What is in a file from `offset` on, 1 MiB at a time.
 * @param {string} path
 * @param {{ offset?: number }} [options]
 */
export function* chunks(path, { offset = 0 } = {}) {
  for (let chunk = read(path, { offset }); chunk.length > 0; chunk = read(path, { offset })) {
    yield chunk;
    offset += chunk.length;
  }
}

/**
 * Room on the file system that holds `path`.
 * @param {string} path
 * @returns {Space}
 */
export function space(path) {
  return call('files', () => wire.readSpace(clean(path)));
}

/**
 * Needs `mode = "rw"`.
 * @param {string} path
 */
export function mkdir(path) {
  call('files', () => wire.createDirectory(clean(path)));
}

/**
 * A file, a link, or an empty directory. Needs `mode = "rw"`.
 * @param {string} path
 */
export function remove(path) {
  call('files', () => wire.remove(clean(path)));
}

/**
 * Permission bits only. Needs `mode = "rw"`.
 * @param {string} path
 * @param {number} mode
 */
export function chmod(path, mode) {
  call('files', () => wire.setMode(clean(path), unsigned('mode', mode)));
}

/**
 * @param {import('sickbay:plugin/files@0.1.0').FileInfo} wire
 * @returns {FileInfo}
 */
function info(wire) {
  return { ...wire, sizeBytes: Number(wire.sizeBytes), modifiedAt: time(wire.modifiedAt) };
}
