// The programs that a build runs: those of the plugin's own `node_modules`, so that the plugin decides which versions.

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { env, platform } from 'node:process';
import { BuildError } from './failure.js';

const PATH_SEPARATOR = platform === 'win32' ? ';' : ':';

/**
 * Runs a program to its end; what it says goes where ours goes. Answers whether it succeeded.
 * @param {string} folder
 * @param {string} program
 * @param {string} packageName The package that brings it.
 * @param {readonly string[]} args
 * @param {string} [input]
 */
export function run(folder, program, packageName, args, input = '') {
  const path = [...binFolders(folder), env['PATH'] ?? ''].join(PATH_SEPARATOR);
  const ended = spawnSync(program, args, {
    cwd: folder,
    env: { ...env, PATH: path },
    input,
    stdio: ['pipe', 'ignore', 'inherit'],
    shell: platform === 'win32',
  });
  if (ended.error && 'code' in ended.error && ended.error.code === 'ENOENT') {
    throw new BuildError(`${program} is not installed`, `npm install --save-dev ${packageName}`);
  }
  if (ended.error) throw ended.error;
  return ended.status === 0;
}

/**
 * `node_modules/.bin` of a folder and of those above it.
 * @param {string} folder
 * @returns {string[]}
 */
function binFolders(folder) {
  const above = dirname(folder);
  return [join(folder, 'node_modules', '.bin'), ...(above === folder ? [] : binFolders(above))];
}
