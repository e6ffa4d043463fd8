// The world of one plugin: the contract, and beside it a world that has no more than the plugin needs.

import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BuildError } from './failure.js';

/** What the world is called, and the file that holds it. */
export const WORLD = 'built';

// In the package, or in the repository.
const CONTRACTS = ['../wit/', '../../../wit/'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/**
 * Writes it into `work`; answers the folder, and the names of the interfaces that it imports.
 * @param {readonly string[]} exports
 * @param {readonly string[]} imports As the code names them: `sickbay:plugin/http@0.1.0`.
 * @param {string} work
 */
export async function writeWorld(exports, imports, work) {
  const contract = CONTRACTS.find((path) => existsSync(join(path, 'world.wit')));
  if (contract === undefined) throw new Error(`the contract is not in ${CONTRACTS.join(' nor in ')}`);
  const folder = join(work, 'wit');
  await cp(contract, folder, { recursive: true });
  const [line = ''] = (await readFile(join(folder, 'world.wit'), 'utf8')).split('\n');
  const names = namesOf(line, imports);
  await writeFile(join(folder, `${WORLD}.wit`), world(line, exports, names));
  return { folder, imports: names };
}

/**
 * `http` of `sickbay:plugin/http@0.1.0`, where that is of this contract.
 * @param {string} line The one that names the package: `package sickbay:plugin@0.1.0;`
 * @param {readonly string[]} imports
 */
export function namesOf(line, imports) {
  const [, name, version] = /^package ([^@]+)@([^;]+);/.exec(line) ?? [];
  return imports.map((specifier) => {
    const start = `${name}/`;
    const end = `@${version}`;
    if (specifier.startsWith(start) && specifier.endsWith(end)) return specifier.slice(start.length, -end.length);
    throw new BuildError(`\`${specifier}\` is no interface of the contract`, `this SDK has ${name}@${version}`);
  });
}

/**
 * @param {string} line The one that names the package.
 * @param {readonly string[]} exports
 * @param {readonly string[]} imports
 */
export function world(line, exports, imports) {
  const lines = [...imports.map((name) => `import ${name};`), ...['plugin', ...exports].map((name) => `export ${name};`)];
  return `${line}\n\nworld ${WORLD} {\n${lines.map((one) => `    ${one}\n`).join('')}}\n`;
}
