import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, DeniedError, RefusedError, Report } from '@sickbay/sdk';
import { FakeHost } from '@sickbay/sdk/testing';

/** @param {() => Report | Promise<Report>} run */
const checkOf = (run) => check({ name: 'test', summary: 'A test', run });

test('what a run tells the console is in the log, with its level and fields', async () => {
  const host = new FakeHost();
  await host.run(checkOf(() => {
    console.log('%s is %d%%', 'cpu', 5, [1], new Map());
    console.info('fetched', { status: 200 });
    console.debug({ alone: true });
    console.warn('odd');
    console.error(new TypeError('broken', { cause: new Error('why') }));
    console.assert(true, 'not told');
    console.assert(false, 'told');
    return Report.ok('');
  }));
  const lines = host.log.lines.map(({ level, message, fields }) => [level, message.split('\n')[0], fields]);
  assert.deepEqual(lines, [
    ['info', 'cpu is 5% [1] {}', {}],
    ['info', 'fetched', { status: '200' }],
    ['debug', '{"alone":true}', {}],
    ['warn', 'odd', {}],
    ['error', 'TypeError: broken', {}],
    ['error', 'assertion failed told', {}],
  ]);
  assert.match(host.log.lines[4]?.message ?? '', /caused by: Error: why/);
});

test('fetch goes through the host and its errors say whose mistake it was', async () => {
  const host = new FakeHost();
  host.http.reply(200, { json: { a: 1 } });
  host.http.fail(new RefusedError('closed'));
  host.http.fail(new DeniedError('not granted'));
  const asked = checkOf(async () => {
    const response = await fetch('https://example.com/', { method: 'put', headers: { 'x-a': 'b' }, body: new URLSearchParams({ q: 'ü' }) });
    const copy = response.clone();
    const told = [response.ok, await response.json(), await copy.text()];
    await assert.rejects(response.text(), /the body was read already/);
    return Report.ok(JSON.stringify(told));
  });
  assert.equal((await host.run(asked)).summary, '[true,{"a":1},"{\\"a\\":1}"]');
  const [sent] = host.http.sent;
  assert.deepEqual([sent?.method, sent?.text(), sent?.headers.get('x-a')], ['PUT', 'q=%C3%BC', 'b']);
  assert.equal(sent?.headers.get('content-type'), 'application/x-www-form-urlencoded;charset=UTF-8');

  const asking = checkOf(async () => Report.ok(await (await fetch(new URL('https://example.com/'))).text()));
  assert.equal((await host.run(asking)).failure, 'refused');
  await assert.rejects(host.run(asking), DeniedError);
});
