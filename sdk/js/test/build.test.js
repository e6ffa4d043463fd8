import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from '../build/build.js';
import { bundle } from '../build/bundle.js';
import { describePlugin } from '../build/describe.js';
import { namesOf, world } from '../build/world.js';

const SDK = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(SDK, 'node_modules', '.bin');
const withEsbuild = { skip: existsSync(join(BIN, 'esbuild')) ? false : 'esbuild is not installed: npm install' };
const withQuickjs = { skip: existsSync(join(BIN, 'componentize-qjs')) ? withEsbuild.skip : 'componentize-qjs is not installed: npm install' };

const CHECK = `
import { check, key, plugin, Report, state } from '@sickbay/sdk';
export default plugin({
  name: 'small', version: '1.0.0', summary: 'Small',
  checks: [check({ name: 'small', summary: 'Small', config: { limit: key.number('', { minimum: 1 }).default(5) }, run() {
    // MORE
    return Report.ok(String(state.get('a')));
  } })],
});
`;

/** @type {string[]} */
const folders = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/**
 * A folder with a plugin that finds this SDK.
 * @param {string} source
 */
async function folderWith(source) {
  const folder = await mkdtemp(join(tmpdir(), 'sickbay-sdk-test-'));
  folders.push(folder);
  await mkdir(join(folder, 'node_modules', '@sickbay'), { recursive: true });
  await symlink(SDK, join(folder, 'node_modules', '@sickbay', 'sdk'));
  if (existsSync(BIN)) await symlink(BIN, join(folder, 'node_modules', '.bin'));
  await writeFile(join(folder, 'package.json'), '{"type":"module","main":"check.js"}');
  await writeFile(join(folder, 'check.js'), source);
  return folder;
}

/**
 * What of the contract is left in the bundle.
 * @param {string} source
 */
async function bundled(source) {
  const folder = await folderWith(source);
  const module = join(folder, 'check.js');
  const plugin = await describePlugin(folder, module, folder);
  const { file, imports } = await bundle(folder, module, plugin.exports, 'spidermonkey', folder);
  return { plugin, imports, text: await readFile(file, 'utf8') };
}

test('the world has what the plugin has', () => {
  const line = 'package sickbay:plugin@0.1.0;';
  const imports = namesOf(line, ['sickbay:plugin/http@0.1.0', 'sickbay:plugin/log@0.1.0']);
  const text = `${line}\n\nworld built {\n    import http;\n    import log;\n    export plugin;\n    export check;\n}\n`;
  assert.equal(world(line, ['check'], imports), text);
  assert.throws(() => namesOf(line, ['sickbay:plugin/http@0.2.0']), /is no interface of the contract/);
});

test('only the interfaces that the code uses are left', withEsbuild, async () => {
  const { plugin, imports, text } = await bundled(CHECK);
  assert.deepEqual([plugin.name, plugin.exports], ['small', ['check']]);
  assert.deepEqual(imports, ['sickbay:plugin/log@0.1.0', 'sickbay:plugin/state@0.1.0']);
  assert.match(text, /export \{\s*\w+ as check,\s*\w+ as plugin\s*\}/);
});

test('fetch and console are the SDK\'s where the code names them', withEsbuild, async () => {
  const { imports, text } = await bundled(CHECK.replace('// MORE', 'fetch("https://example.com"); console.log("x");'));
  assert.ok(imports.includes('sickbay:plugin/http@0.1.0'));
  assert.match(text, /NetworkError|globalThis\.console/);
  assert.doesNotMatch(text, /async_hooks/);
});

test('a plugin that cannot be is refused before anything is built', withEsbuild, async () => {
  /** @type {[string, RegExp][]} */
  const cases = [
    ['export default 5;', /has no plugin as its default export/],
    ['throw new Error("broken at load");', /fails when it is loaded: Error: broken at load[^]*check\.js:1/],
    [CHECK.replace("'Small', config", "'Small', example: { limit: 0 }, config"), /the kind `small`: example\.limit must be at least 1/],
  ];
  for (const [source, message] of cases) {
    const folder = await folderWith(source);
    await assert.rejects(build({ folder }), { message });
    assert.equal(existsSync(join(folder, 'small.wasm')), false);
  }
  await assert.rejects(build({ folder: SDK, entry: 'none.js' }), { message: /there is no none\.js/ });
  await assert.rejects(build({ folder: SDK, engine: 'v8' }), { message: /there is no engine `v8`/ });
});

test('a component comes out, for the engine that the package names', withQuickjs, async () => {
  const folder = await folderWith(CHECK);
  await writeFile(join(folder, 'package.json'), '{"type":"module","main":"check.js","sickbay":{"engine":"quickjs"}}');
  const made = await build({ folder, bundled: 'bundle.js' });
  assert.deepEqual([made.file, made.exports, made.imports], [join(folder, 'small.wasm'), ['check'], ['log', 'state']]);
  const component = await readFile(made.file);
  assert.deepEqual([...component.subarray(0, 8)], [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
  assert.ok(made.bytes < 5_000_000, `${made.bytes} bytes are not those of QuickJS`);
  assert.ok(component.includes('sickbay:plugin/state@0.1.0') && !component.includes('sickbay:plugin/http@0.1.0'));
  assert.ok(existsSync(join(folder, 'bundle.js')) && !existsSync(`${made.file}.part`));
});
