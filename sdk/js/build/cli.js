#!/usr/bin/env node
// `sickbay-build`: makes a component of a plugin. The stages are in `build.js`.

import { argv, exit } from 'node:process';
import { parseArgs } from 'node:util';
import { build } from './build.js';
import { BuildError } from './failure.js';

const USAGE = `usage: sickbay-build [ENTRY] [--out FILE] [--engine ENGINE] [--bundle FILE]

Makes a component of ENTRY, a module whose default export is a plugin; by default "main" of package.json.

  --out FILE       where to put it; by default NAME.wasm, where NAME is the plugin's
  --engine ENGINE  spidermonkey: all of JavaScript, async functions and fetch; about 12 MB
                   quickjs: about 1 MB and a fraction of the time, for functions that are not async
                   by default "sickbay": { "engine": ... } of package.json, else spidermonkey
  --bundle FILE    where to put the one module that the component is made of: the lines that stacks name are its
  --help           this text
`;

const OPTIONS = /** @type {const} */ ({
  out: { type: 'string' },
  engine: { type: 'string' },
  bundle: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
});

try {
  const { values, positionals } = parseArgs({ args: argv.slice(2), options: OPTIONS, allowPositionals: true });
  if (values.help) {
    console.log(USAGE);
  } else {
    const [entry, ...others] = positionals;
    if (others.length > 0) throw new BuildError(`there is more than one entry: ${positionals.join(', ')}`, 'a component is made of one');
    const { out, engine, bundle: bundled } = values;
    const made = await build({ entry, out, engine, bundled });
    console.error(`${made.file}: ${(made.bytes / 1e6).toFixed(1)} MB; offers ${made.exports.join(', ')}; imports ${made.imports.join(', ')}`);
  }
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`error: ${error.message}`);
  if (error instanceof BuildError && error.hint !== '') console.error(`  hint: ${error.hint}`);
  exit(1);
}
