// One module for the sandbox: the plugin, what it uses of the SDK and of packages, and the entry that exports the contract's interfaces.
//
// `console` and `fetch` are replaced by the SDK's where the code names them. What is left of the imports are interfaces of the contract.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BuildError } from './failure.js';
import { run } from './tool.js';

const GLOBALS = new URL('../src/host/globals/', import.meta.url);

/** @type {Record<import('./describe.js').Sort, string>} */
const FUNCTIONS = { check: 'checkOf', recovery: 'recoveryOf', sink: 'sinkOf' };

/**
 * @param {string} folder
 * @param {string} module
 * @param {readonly import('./describe.js').Sort[]} exports
 * @param {string} engine
 * @param {string} work
 */
export async function bundle(folder, module, exports, engine, work) {
  const file = join(work, 'plugin.js');
  const metafile = join(work, 'plugin.json');
  const globals = engine === 'quickjs' ? ['console.js', 'fetch.js', 'text-codec.js'] : ['console.js', 'fetch.js'];
  const args = [
    '--bundle',
    '--format=esm',
    '--platform=neutral',
    '--main-fields=module,main',
    `--conditions=${engine === 'quickjs' ? 'sickbay-quickjs,' : ''}sickbay`,
    '--external:sickbay:*',
    '--target=es2023',
    '--legal-comments=none',
    '--log-level=warning',
    ...globals.map((name) => `--inject:${fileURLToPath(new URL(name, GLOBALS))}`),
    `--metafile=${metafile}`,
    `--outfile=${file}`,
  ];
  if (!run(folder, 'esbuild', 'esbuild', args, entry(module, exports))) {
    const hint = "Node's own modules are not there: the SDK has http, files, net, .. in their place";
    throw new BuildError(`${module} cannot be made one module for the sandbox`, hint);
  }
  return { file, imports: importsOf(JSON.parse(await readFile(metafile, 'utf8'))) };
}

/**
 * @param {string} module
 * @param {readonly import('./describe.js').Sort[]} exports
 */
function entry(module, exports) {
  const functions = exports.map((sort) => FUNCTIONS[sort]);
  return [
    `import plugin_ from ${JSON.stringify(module)};`,
    `import { ${['pluginOf', ...functions].join(', ')} } from '@sickbay/sdk/component';`,
    'export const plugin = pluginOf(plugin_);',
    ...exports.map((sort) => `export const ${sort} = ${FUNCTIONS[sort]}(plugin_);`),
  ].join('\n');
}

/**
 * The interfaces that are left, as the code names them.
 * @param {{ outputs: Record<string, { imports: { path: string, external?: boolean }[] }> }} told
 */
function importsOf({ outputs }) {
  const paths = Object.values(outputs).flatMap((output) => output.imports.filter((one) => one.external).map((one) => one.path));
  return [...new Set(paths)].sort();
}
