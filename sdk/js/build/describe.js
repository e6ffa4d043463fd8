// What a plugin offers, asked in Node: its module is loaded as a test loads it. A description that the host would refuse is refused here, with a
// stack that names the line.

import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { expectValid } from '../src/violation.js';
import { BuildError } from './failure.js';
import { run } from './tool.js';

/** @typedef {'check' | 'recovery' | 'sink'} Sort */

/** @type {readonly [Sort, string][]} */
const SORTS = [['check', 'checks'], ['recovery', 'recoveries'], ['sink', 'sinks']];

/**
 * @param {string} folder
 * @param {string} module
 * @param {string} work
 * @returns {Promise<{ name: string, exports: Sort[] }>}
 */
export async function describePlugin(folder, module, work) {
  const file = join(work, 'described.mjs');
  // One file, so that TypeScript and imports without an extension work too.
  const flags = ['--bundle', '--platform=node', '--format=esm', '--sourcemap=inline', '--log-level=warning', `--banner:js=${REQUIRE}`];
  const args = [module, ...flags, `--outfile=${file}`];
  if (!run(folder, 'esbuild', 'esbuild', args)) throw new BuildError(`${module} cannot be read`);
  const plugin = await load(file, module);
  if (typeof plugin?.name !== 'string' || !Array.isArray(plugin.checks)) {
    throw new BuildError(`${module} has no plugin as its default export`, 'export default plugin({ name, version, summary, checks: [..] })');
  }
  const exports = SORTS.filter(([, list]) => plugin[list].length > 0);
  for (const kind of exports.flatMap(([, list]) => plugin[list])) expectExample(kind);
  return { name: plugin.name, exports: exports.map(([sort]) => sort) };
}

// Packages that are CommonJS ask for it.
const REQUIRE = "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/**
 * @param {string} file
 * @param {string} module
 * @returns {Promise<any>}
 */
async function load(file, module) {
  process.setSourceMapsEnabled(true);
  try {
    return (await import(pathToFileURL(file).href)).default;
  } catch (error) {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new BuildError(`${module} fails when it is loaded: ${told}`, 'what needs a host belongs into the functions of a kind', { cause: error });
  }
}

/** @param {{ name: string, config: import('../src/key.js').Keys, example: unknown }} kind */
function expectExample(kind) {
  try {
    expectValid(kind.config, JSON.parse(JSON.stringify(kind.example)), 'example');
  } catch (error) {
    throw new BuildError(`the kind \`${kind.name}\`: ${error instanceof Error ? error.message : error}`, 'the host validates the example too');
  }
}
