// Files of the scripted host: a flat map of paths, in which directories are what the paths have in common.

import { MissingFileError } from '../errors.js';
import { bytesOf } from '../text.js';

// Names of one listing, as on a real host.
const PAGE_LEN = 1000;

/** @typedef {typeof import('sickbay:plugin/files@0.1.0')} Wire */
/** @typedef {import('sickbay:plugin/files@0.1.0').FileInfo} FileInfo */

/**
 * One file or directory.
 * @typedef {{ content: Uint8Array, modifiedAt: Date, kind: string, mode: number, writable: boolean }} FakeFile
 */

/** Files by their whole path. */
export class FakeFiles {
  #clock;
  /** @type {Map<string, FakeFile>} */
  byPath = new Map();
  /** @type {import('../files.js').Space | undefined} Room on the file system, whatever the path. */
  space;

  /** @param {import('./clock.js').FakeClock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * A file, or another in its place.
   * @param {string} path
   * @param {string | Uint8Array} [content]
   * @param {{ modifiedAt?: Date, kind?: string, mode?: number, writable?: boolean }} [told]
   */
  add(path, content = '', { modifiedAt = this.#clock.now, kind = 'file', mode = 0o644, writable = false } = {}) {
    this.byPath.set(path, { content: bytesOf(content), modifiedAt, kind, mode, writable });
  }

  /** @type {Wire['readInfo']} */
  readInfo(path) {
    return infoOf(path, this.#find(path));
  }

  /** @type {Wire['readDirectory']} */
  readDirectory(path, after = '') {
    const start = `${path.replace(/\/+$/, '')}/`;
    const below = [...this.byPath.keys()].filter((other) => other.startsWith(start)).map((other) => other.slice(start.length).split('/', 1)[0] ?? '');
    if (below.length === 0) this.#find(path);
    const names = [...new Set(below)].sort().filter((name) => name > after);
    return names.slice(0, PAGE_LEN).map((name) => infoOf(start + name, this.byPath.get(start + name) ?? this.#directory()));
  }

  /** @type {Wire['readBytes']} */
  readBytes(path, offset, bytesMax) {
    return this.#find(path).content.slice(Number(offset), Number(offset) + bytesMax);
  }

  /** @type {Wire['readSpace']} */
  readSpace(path) {
    if (this.space === undefined) throw new MissingFileError(`${path}: the test scripted no space`);
    return this.space;
  }

  /** @type {Wire['createDirectory']} */
  createDirectory(path) {
    this.byPath.set(path, { ...this.#directory(), writable: true });
  }

  /** @type {Wire['remove']} */
  remove(path) {
    this.#find(path);
    this.byPath.delete(path);
  }

  /** @type {Wire['setMode']} */
  setMode(path, mode) {
    this.#find(path).mode = mode;
  }

  /** @param {string} path */
  #find(path) {
    const file = this.byPath.get(path);
    if (file === undefined) throw new MissingFileError(`${path}: no such file`);
    return file;
  }

  /** @returns {FakeFile} */
  #directory() {
    return { content: new Uint8Array(0), modifiedAt: this.#clock.now, kind: 'directory', mode: 0o755, writable: false };
  }
}

/**
 * @param {string} path
 * @param {FakeFile} file
 * @returns {FileInfo}
 */
function infoOf(path, { content, modifiedAt, kind, mode, writable }) {
  return {
    name: path.slice(path.lastIndexOf('/') + 1),
    kind,
    sizeBytes: BigInt(content.length),
    modifiedAt: BigInt(modifiedAt.getTime()),
    mode,
    writable,
    identity: path,
  };
}
