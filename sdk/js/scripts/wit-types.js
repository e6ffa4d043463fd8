// Writes `src/wit.d.ts`: the interfaces of the contract as TypeScript sees them. Run it after a change of `wit/`: `npm run wit-types`.
//
// `node scripts/wit-types.js --check` changes nothing and fails where the file is not what the contract says.

import { readFile, readdir, writeFile } from 'node:fs/promises';
import { exit, argv } from 'node:process';
import { $init, generateTypes } from '@bytecodealliance/jco-transpile/component';

const CONTRACT = new URL('../../../wit/', import.meta.url);
const TARGET = new URL('../src/wit.d.ts', import.meta.url);
const WORLD = 'full-plugin';

const HEADER = `// The contract as TypeScript sees it, made from \`wit/\` by \`npm run wit-types\`: do not edit.
//
// A plugin that uses the SDK needs none of this; one that speaks the contract itself gets its types with
// \`/// <reference types="@sickbay/sdk/wit" />\`.

`;

await $init;
/** @type {Parameters<typeof generateTypes>[1]} */
const options = {
  wit: { tag: 'source', val: await contract() },
  world: WORLD,
  features: { tag: 'list', val: [] },
  guest: true,
  tlaCompat: false,
  flagsAsBigint: false,
  variantsInlineCases: true,
  useNamespaceObjects: false,
  enumValuesScreamingSnakeCase: false,
};
const modules = generateTypes('contract', options)
  .filter(([name]) => name.startsWith('interfaces/'))
  .map(([, bytes]) => new TextDecoder().decode(bytes).replace(/^\/\/\/ <reference .*\n/gm, '').replace(/[ \t]+$/gm, '').trim());
const text = `${HEADER}${modules.join('\n\n')}\n`;

if (!argv.includes('--check')) {
  await writeFile(TARGET, text);
} else if ((await readFile(TARGET, 'utf8')) !== text) {
  console.error('src/wit.d.ts is not what the contract says; hint: npm run wit-types');
  exit(1);
}

/** All files of the contract as one text, which names its package once. */
async function contract() {
  const names = (await readdir(CONTRACT)).filter((name) => name.endsWith('.wit')).sort();
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, CONTRACT), 'utf8')));
  return texts.map((text, index) => (index === 0 ? text : text.replace(/^package .*;$/m, ''))).join('\n');
}
