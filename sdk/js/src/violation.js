// The bounds of a JSON Schema, as far as `key` writes them. The host looks at them before a run; this is for tests and for examples.

import { Mismatch, readKeys, schemaOf } from './key.js';

/**
 * Refuses what the host would refuse: shape and bounds. A `Mismatch` names the first.
 * @param {import('./key.js').Keys} keys
 * @param {unknown} value
 * @param {string} place
 */
export function expectValid(keys, value, place) {
  readKeys(keys, value, place, true);
  expectMet(schemaOf(keys), value, place);
}

/**
 * @param {{ readonly [keyword: string]: any }} schema
 * @param {any} value
 * @param {string} place
 */
function expectMet(schema, value, place) {
  if (value === undefined) return;
  for (const [keyword, isMet, words] of BOUNDS) {
    const bound = schema[keyword];
    if (bound !== undefined && !isMet(value, bound)) throw new Mismatch(place, `must ${words} ${bound}`);
  }
  if (Array.isArray(value)) {
    value.forEach((item, index) => expectMet(schema.items ?? {}, item, `${place}[${index}]`));
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      const properties = schema.properties ?? {};
      const known = Object.hasOwn(properties, name) ? properties[name] : schema.additionalProperties;
      expectMet(known || {}, inner, `${place}.${name}`);
    }
  }
}

/** @type {[string, (value: any, bound: any) => boolean, string][]} */
const BOUNDS = [
  ['minimum', (value, bound) => value >= bound, 'be at least'],
  ['maximum', (value, bound) => value <= bound, 'be at most'],
  ['exclusiveMinimum', (value, bound) => value > bound, 'be more than'],
  ['exclusiveMaximum', (value, bound) => value < bound, 'be less than'],
  // A schema counts characters, not UTF-16.
  ['minLength', (value, bound) => [...value].length >= bound, 'have this many characters or more:'],
  ['maxLength', (value, bound) => [...value].length <= bound, 'have this many characters or fewer:'],
  ['pattern', (value, bound) => new RegExp(bound, 'u').test(value), 'match'],
  ['minItems', (value, bound) => value.length >= bound, 'have this many items or more:'],
  ['maxItems', (value, bound) => value.length <= bound, 'have this many items or fewer:'],
  ['uniqueItems', (value, bound) => !bound || isDistinct(value), 'have each item once:'],
];

/** @param {unknown[]} items */
function isDistinct(items) {
  return new Set(items.map((item) => JSON.stringify(item))).size === items.length;
}
