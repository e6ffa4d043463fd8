// The tests of the template and of the examples, as their authors run them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { env, execPath } from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SDK = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['template', '../../examples/js/check', '../../examples/js/recovery', '../../examples/js/sink'];

for (const name of FOLDERS) {
  const source = join(SDK, name);
  test(`the tests in ${name} pass`, { skip: existsSync(source) ? false : 'it is not in this package' }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sickbay-sdk-test-'));
    try {
      await cp(source, folder, { recursive: true, filter: (path) => basename(path) !== 'node_modules' });
      await mkdir(join(folder, 'node_modules', '@sickbay'), { recursive: true });
      await symlink(SDK, join(folder, 'node_modules', '@sickbay', 'sdk'));
      // Without what tells it that it is inside of a test: then it would not look for tests.
      const { NODE_TEST_CONTEXT: _, ...rest } = env;
      const ended = spawnSync(execPath, ['--test'], { cwd: folder, env: rest, encoding: 'utf8' });
      assert.equal(ended.status, 0, ended.stdout + ended.stderr);
      assert.match(ended.stdout, /# pass [1-9]/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
