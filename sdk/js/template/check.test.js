import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '@sickbay/sdk';
import { assertAsDescribed, FakeHost } from '@sickbay/sdk/testing';
import { deadline } from './check.js';

test('a deadline is judged by the days that are left', async () => {
  const host = new FakeHost();
  host.clock.now = new Date('2026-01-01T00:00:00Z');
  const cases = /** @type {const} */ ([
    ['2026-03-01T00:00:00Z', 'ok', undefined],
    ['2026-01-10T00:00:00Z', 'warning', 'expiring'],
    ['2025-12-01T00:00:00Z', 'critical', 'expired'],
  ]);
  for (const [until, status, failure] of cases) {
    const report = await host.run(deadline, { until });
    assert.deepEqual([report.status, report.failure], [status, failure]);
    assertAsDescribed(deadline, report);
  }
});

test('the example is well and a time that is none is refused', async () => {
  const host = new FakeHost();
  assert.equal((await host.run(deadline)).status, 'ok');
  await assert.rejects(host.run(deadline, { until: 'soon' }), ConfigurationError);
});
