// From a plugin's module to a component.
//
//     entry -> describe (in Node: what does the plugin offer?) -> bundle (one module, for the sandbox) -> world (what it imports and exports)
//           -> engine (componentize-js or componentize-qjs) -> FILE
//
// A component in JavaScript imports every interface of its world, and the wider the world the dearer each instance. So the world is written for
// the plugin: it exports what the plugin has kinds for, and imports the interfaces that are left in the bundle after what nobody uses was
// dropped from it.
//
// Invariant: the file appears whole or not at all.

import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cwd } from 'node:process';
import { bundle } from './bundle.js';
import { describePlugin } from './describe.js';
import { engineNamed } from './engine.js';
import { BuildError } from './failure.js';
import { writeWorld } from './world.js';

// What a host takes.
const COMPONENT_BYTES_MAX = 32 << 20;

/**
 * @typedef {object} Asked
 * @property {string} [entry] The module whose default export is a plugin; by default `main` of the package.
 * @property {string} [out] Where the component goes; by default `NAME.wasm`.
 * @property {string} [engine] `spidermonkey` or `quickjs`; by default what `sickbay` of the package says, else `spidermonkey`.
 * @property {string} [bundled] Where the one module goes that the component is made of; by default nowhere.
 * @property {string} [folder]
 */

/** @param {Asked} asked */
export async function build({ entry, out, engine: named, bundled, folder = cwd() }) {
  const manifest = await manifestOf(folder);
  const engine = named ?? manifest.sickbay?.engine ?? 'spidermonkey';
  const made = engineNamed(engine);
  const module = entryOf(folder, entry ?? manifest.main);
  const work = await mkdtemp(join(tmpdir(), 'sickbay-build-'));
  try {
    const plugin = await describePlugin(folder, module, work);
    const whole = await bundle(folder, module, plugin.exports, engine, work);
    if (bundled !== undefined) await copyFile(whole.file, resolve(folder, bundled));
    const world = await writeWorld(plugin.exports, whole.imports, work);
    const file = resolve(folder, out ?? `${plugin.name}.wasm`);
    // In the folder that it goes to: a rename is whole there.
    const part = `${file}.part`;
    try {
      made.componentize(folder, whole.file, world.folder, part);
      const { size } = await stat(part);
      if (size > COMPONENT_BYTES_MAX) throw new BuildError(`the component has ${size} bytes`, `a host takes at most ${COMPONENT_BYTES_MAX}`);
      await rename(part, file);
      return { file, bytes: size, exports: plugin.exports, imports: world.imports };
    } finally {
      await rm(part, { force: true });
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * The module that is asked for, or `main` of the package.
 * @param {string} folder
 * @param {string | undefined} named
 */
function entryOf(folder, named) {
  const how = 'sickbay-build check.js, or "main" in package.json';
  if (typeof named !== 'string') throw new BuildError(`nothing says which module of ${folder} is the plugin`, how);
  const module = resolve(folder, named);
  if (!existsSync(module)) throw new BuildError(`there is no ${named} in ${folder}`, 'name the module of the plugin: sickbay-build check.js');
  return module;
}

/**
 * What `package.json` says, where there is one.
 * @param {string} folder
 * @returns {Promise<{ main?: string, sickbay?: { engine?: string } }>}
 */
async function manifestOf(folder) {
  const file = join(folder, 'package.json');
  return existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : {};
}
