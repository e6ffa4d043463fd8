// Headers: what a request is given, and those of an answer.

/**
 * Headers: an object, pairs, or anything that gives pairs.
 * @typedef {Readonly<Record<string, string>> | Iterable<readonly [string, string]>} HeadersInit
 */

/**
 * @param {HeadersInit} headers
 * @returns {(readonly [string, string])[]}
 */
export function pairs(headers) {
  return Symbol.iterator in headers ? [.../** @type {Iterable<readonly [string, string]>} */ (headers)] : Object.entries(headers);
}

/** Headers of an answer, by name whatever its case. The contract keeps each line as it came; so does this. */
export class HeaderList {
  /** @type {readonly (readonly [string, string])[]} */
  #pairs;

  /** @param {readonly (readonly [string, string])[]} [pairs] */
  constructor(pairs = []) {
    this.#pairs = pairs;
  }

  /**
   * The values of that name with `, ` between, `null` where there is none.
   * @param {string} name
   */
  get(name) {
    const values = this.getAll(name);
    return values.length > 0 ? values.join(', ') : null;
  }

  /**
   * Every value of that name, in order.
   * @param {string} name
   */
  getAll(name) {
    const wanted = name.toLowerCase();
    return this.#pairs.filter(([other]) => other.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** @param {string} name */
  has(name) {
    return this.getAll(name).length > 0;
  }

  /** @param {(value: string, name: string) => void} visit */
  forEach(visit) {
    for (const [name, value] of this.#pairs) visit(value, name);
  }

  *keys() {
    for (const [name] of this.#pairs) yield name;
  }

  *values() {
    for (const [, value] of this.#pairs) yield value;
  }

  entries() {
    return this[Symbol.iterator]();
  }

  *[Symbol.iterator]() {
    yield* this.#pairs;
  }
}
