// The engines that a component may hold.

import { BuildError } from './failure.js';
import { run } from './tool.js';
import { WORLD } from './world.js';

/**
 * @typedef {object} Engine
 * @property {(folder: string, bundle: string, wit: string, out: string) => void} componentize
 */

/** @type {Record<string, Engine>} */
const ENGINES = {
  spidermonkey: {
    // The SDK's `fetch` goes through the contract: the engine's own, and what it would import for it, are left out.
    componentize(folder, bundle, wit, out) {
      const args = [bundle, '--wit', wit, '--world-name', WORLD, '--out', out, '--disable', 'http', 'fetch-event'];
      expectMade(run(folder, 'componentize-js', '@bytecodealliance/componentize-js', args), 'componentize-js');
    },
  },
  quickjs: {
    componentize(folder, bundle, wit, out) {
      const args = ['--sync', '--opt-size', '--wit', wit, '--world', WORLD, '--js', bundle, '--output', out];
      expectMade(run(folder, 'componentize-qjs', 'componentize-qjs', args), 'componentize-qjs');
    },
  },
};

/**
 * @param {string} name
 * @returns {Engine}
 */
export function engineNamed(name) {
  const engine = Object.hasOwn(ENGINES, name) ? ENGINES[name] : undefined;
  if (engine === undefined) throw new BuildError(`there is no engine \`${name}\``, `engines are ${Object.keys(ENGINES).join(', ')}`);
  return engine;
}

/**
 * @param {boolean} isMade
 * @param {string} program
 */
function expectMade(isMade, program) {
  if (!isMade) throw new BuildError(`${program} made no component`, 'what it said is above');
}
