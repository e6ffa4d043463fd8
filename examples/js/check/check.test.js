import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError, DeniedError, RefusedError } from '@sickbay/sdk';
import { assertAsDescribed, FakeHost } from '@sickbay/sdk/testing';
import { feedAge } from './check.js';

const CONFIG = { url: 'https://example.com/feed.json', warning_seconds: 60, critical_seconds: 600 };

/**
 * @param {FakeHost} host
 * @param {number} ageSeconds
 * @param {number} [total]
 */
function script(host, ageSeconds, total = 1) {
  const published_at = new Date(host.clock.nowMs() - ageSeconds * 1000).toISOString();
  host.http.reply(200, { json: { total, entries: [{ published_at }] } });
  return host;
}

/** @param {import('@sickbay/sdk').Report} report @param {string} name */
const value = (report, name) => report.metrics.find((metric) => metric.name === name)?.value;

test('an entry is judged by its age', async () => {
  for (const [age, status] of /** @type {const} */ ([[30, 'ok'], [61, 'warning'], [601, 'critical']])) {
    const host = script(new FakeHost(), age);
    const report = await host.run(feedAge, CONFIG);
    assert.equal(report.status, status);
    assertAsDescribed(feedAge, report);
    assert.equal(host.log.lines[0]?.fields['entries'], '1');
  }
});

test('entries since the run before are counted', async () => {
  const host = script(new FakeHost(), 0, 10);
  assert.equal(value(await host.run(feedAge, CONFIG), 'entries_new'), 0);
  script(host, 0, 13);
  assert.equal(value(await host.run(feedAge, CONFIG), 'entries_new'), 3);
});

test('what the service did is critical', async () => {
  const host = new FakeHost();
  host.http.fail(new RefusedError('connection refused'));
  host.http.reply(503);
  host.http.reply(200, { body: '<html>' });
  host.http.reply(200, { json: { total: 0, entries: [] } });
  host.http.reply(200, { json: { total: 0, entries: [] }, afterMs: 60_000 });
  const failures = [];
  for (let run = 0; run < 5; run += 1) failures.push((await host.run(feedAge, CONFIG)).failure);
  assert.deepEqual(failures, ['refused', 'content', 'content', 'content', 'timeout']);
});

test('what the service did not do is no report', async () => {
  const host = new FakeHost();
  host.http.fail(new DeniedError('not granted', 'http = ["GET https://example.com/feed.json"]'));
  await assert.rejects(host.run(feedAge, CONFIG), DeniedError);
  await assert.rejects(host.run(feedAge, { ...CONFIG, critical_seconds: 1 }), ConfigurationError);
  await assert.rejects(host.run(feedAge, { ...CONFIG, url: 'ftp://example.com' }), /config\.url must match/);
});
