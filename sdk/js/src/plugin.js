// A plugin: its name, version and summary, and the kinds of checks, recoveries and sinks that it offers.

import { expectWord } from './words.js';

const KINDS_MAX = 64;
// As the host reads it: three numbers, and what may follow them.
const VERSION = /^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/;

/**
 * @typedef {object} PluginDefinition
 * @property {string} name
 * @property {string} version Semantic version of the plugin itself.
 * @property {string} summary One line for a person.
 * @property {readonly import('./check.js').CheckKind<any>[]} [checks]
 * @property {readonly import('./recovery.js').RecoveryKind<any>[]} [recoveries]
 * @property {readonly import('./sink.js').SinkKind<any>[]} [sinks]
 * @property {string} [homepage] Where to read more.
 * @property {string} [licence] SPDX expression: `Apache-2.0`.
 */

/** @typedef {ReturnType<typeof plugin>} Plugin */

/**
 * What `sickbay-build` makes a component of, as the default export of a module.
 *
 *     export default plugin({ name: 'queue', version: '0.1.0', summary: 'How long the queue is', checks: [queue] });
 *
 * @param {PluginDefinition} definition
 */
export function plugin({ name, version, summary, checks = [], recoveries = [], sinks = [], homepage, licence }) {
  expectWord('name of a plugin', name);
  if (!VERSION.test(version)) throw new TypeError(`\`${version}\` is no version of a plugin; hint: such as \`1.0.0\``);
  if (!summary) throw new TypeError(`the plugin \`${name}\` has no summary; hint: say in one line what it does`);
  for (const [sort, kinds] of Object.entries({ checks, recoveries, sinks })) expectDistinct(sort, kinds);
  if (checks.length + recoveries.length + sinks.length === 0) {
    throw new TypeError(`the plugin \`${name}\` offers nothing; hint: give it \`checks\`, \`recoveries\` or \`sinks\``);
  }
  return Object.freeze({ name, version, summary, checks, recoveries, sinks, homepage, licence });
}

/**
 * @param {string} sort
 * @param {readonly { name: string }[]} kinds
 */
function expectDistinct(sort, kinds) {
  if (kinds.length > KINDS_MAX) throw new TypeError(`there are ${kinds.length} ${sort}; hint: at most ${KINDS_MAX}`);
  const names = kinds.map((kind) => kind.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new TypeError(`two of the ${sort} are named \`${twice}\``);
}
