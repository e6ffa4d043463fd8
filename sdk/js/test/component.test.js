import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  check,
  ConfigurationError,
  DeniedError,
  done,
  failed,
  gauge,
  http,
  key,
  need,
  PermanentError,
  plugin,
  recovery,
  RefusedError,
  Report,
  running,
  sink,
  state,
} from '@sickbay/sdk';
import { checkOf, pluginOf, recoveryOf, sinkOf } from '@sickbay/sdk/component';
import { assertAsDescribed, FakeHost } from '@sickbay/sdk/testing';

const LENGTH = check({
  name: 'length',
  summary: 'How long it is',
  config: { url: key.string('Where') },
  example: { url: 'https://example.com/' },
  needs: [need('http', 'asks', 'http = ["GET {url}"]')],
  metrics: [gauge('length', 'jobs')],
  failures: ['refused'],
  run: ({ config, previous }) => Report.ok(previous?.report.summary ?? 'first').addMetric('length', http.get(config.url).json()),
});

const HEAL = recovery({
  name: 'heal',
  summary: 'Heals it',
  plan: ({ incident }) => [{ id: 'one', title: 'First', target: incident.check, parameters: { at: incident.since } }],
  act: (_, action) => (action.idempotent ? done('did') : running({ id: 7 }, 'goes on', { againAfterMs: 1 })),
  follow: async (_, _action, token) => failed(`token ${token.id}`, { recommendation: 'look' }),
});

const TELL = sink({
  name: 'tell',
  summary: 'Tells it',
  deliver({ notification }) {
    if (notification.phase === 'other') return;
    if (notification.alerts.length === 0) throw new PermanentError('nothing to tell');
    return { reference: notification.alerts[0]?.labels['id'] ?? '' };
  },
});

const PLUGIN = plugin({ name: 'all', version: '1.0.0', summary: 'All', checks: [LENGTH], recoveries: [HEAL], sinks: [TELL], licence: 'Apache-2.0' });

const REQUEST = {
  check: 'queue',
  kind: 'length',
  config: '{"url":"https://example.com/"}',
  scheduledAt: 1_700_000_000_000n,
  timeoutMs: 5000,
  attempt: 1,
  labels: [],
  extras: [],
};

const INCIDENT = {
  id: '01',
  check: 'queue',
  severity: 'P1',
  since: 5n,
  consecutiveFailures: 3,
  labels: [],
  lastReport: { status: /** @type {const} */ ('critical'), summary: 'down', failure: 'refused', metrics: [], evidence: [], extras: [] },
  extras: [],
};
const RECOVERY = { recovery: 'r', kind: 'heal', config: '{}', timeoutMs: 5000, incident: INCIDENT, idempotencyKey: 'k', extras: [] };

test('a plugin describes itself as the contract asks', () => {
  const { name, checks, recoveries, sinks, licence } = pluginOf(PLUGIN).describe();
  assert.deepEqual([name, licence, recoveries[0]?.name, sinks[0]?.name], ['all', 'Apache-2.0', 'heal', 'tell']);
  const [kind] = checks;
  assert.deepEqual(JSON.parse(kind?.configSchema ?? '').required, ['url']);
  assert.deepEqual(JSON.parse(kind?.example ?? ''), { url: 'https://example.com/' });
  assert.deepEqual(kind?.metrics, [{ name: 'length', kind: 'gauge', unit: '', summary: 'jobs' }]);
});

test('a run answers a report, and is told the one before', async () => {
  const host = new FakeHost();
  host.http.reply(200, { body: '12' });
  const previous = { scheduledAt: 1n, report: { ...INCIDENT.lastReport, summary: 'the one before' } };
  const report = await host.serve(() => checkOf(PLUGIN).run({ ...REQUEST, previous }));
  assert.deepEqual([report.status, report.summary, report.metrics[0]?.value], ['ok', 'the one before', 12]);
});

test('what the service did is a report, what the plugin did is a failure', async () => {
  const host = new FakeHost();
  const run = () => host.serve(() => checkOf(PLUGIN).run(REQUEST));
  host.http.fail(new RefusedError('closed'));
  const report = await run();
  assert.deepEqual([report.status, report.failure, report.summary], ['critical', 'refused', 'closed']);

  host.http.fail(new DeniedError('no', 'http = ["GET x"]'));
  assert.throws(run, { kind: 'denied', message: 'no; hint: http = ["GET x"]', extras: [] });
  const misconfigured = () => host.serve(() => checkOf(PLUGIN).run({ ...REQUEST, config: '{"url":5}' }));
  assert.throws(misconfigured, { kind: 'configuration', message: 'config.url is 5, must be a text' });
});

test('a defect is a failure `internal` with its stack in the log', async () => {
  const defect = check({ name: 'defect', summary: 'Fails', run: () => Report.ok(/** @type {any} */ (undefined).x) });
  const later = check({ name: 'later', summary: 'Fails later', run: async () => { throw new RangeError('x'.repeat(2000)); } });
  const nothing = check({ name: 'nothing', summary: 'Answers nothing', run: () => /** @type {any} */ (undefined) });
  const faulty = checkOf(plugin({ name: 'faulty', version: '1.0.0', summary: 'x', checks: [defect, later, nothing] }));
  const host = new FakeHost();
  assert.throws(() => host.serve(() => faulty.run({ ...REQUEST, kind: 'defect', config: '{}' })), { kind: 'internal' });
  await assert.rejects(async () => host.serve(() => faulty.run({ ...REQUEST, kind: 'later', config: '{}' })), (/** @type {any} */ failure) =>
    failure.kind === 'internal' && failure.message.startsWith('RangeError: xx') && Buffer.byteLength(failure.message) <= 1024);
  assert.throws(() => host.serve(() => faulty.run({ ...REQUEST, kind: 'nothing', config: '{}' })), { message: /returned undefined, not a Report/ });
  assert.throws(() => host.serve(() => faulty.run({ ...REQUEST, kind: 'none' })), { message: /no kind of check named `none`/ });
  assert.match(host.log.lines[0]?.message ?? '', /TypeError.*\n.*component\.test\.js/);
  assert.equal(host.log.lines[0]?.level, 'error');
});

test('a recovery plans, acts and follows', async () => {
  const host = new FakeHost();
  const exported = recoveryOf(PLUGIN);
  const [action] = await host.serve(() => exported.plan(RECOVERY));
  assert.ok(action !== undefined);
  assert.deepEqual([action.target, action.idempotent, action.parameters], ['queue', false, '{"at":"1970-01-01T00:00:00.005Z"}']);
  const begun = await host.serve(() => exported.act(RECOVERY, action));
  assert.deepEqual(begun, { tag: 'running', val: { token: '{"id":7}', summary: 'goes on', againAfterMs: 1000 } });
  const ended = await host.serve(() => exported.follow(RECOVERY, action, '{"id":7}'));
  assert.equal(ended.tag, 'done');
  assert.deepEqual([ended.val.reason, ended.val.success, ended.val.recommendation], ['token 7', false, 'look']);
});

test('a sink has a receipt, or an error that says whether to try again', async () => {
  const host = new FakeHost();
  const alert = {
    incidentId: '01',
    check: 'queue',
    phase: /** @type {const} */ ('firing'),
    status: /** @type {const} */ ('critical'),
    severity: 'P1',
    summary: 'down',
    reason: 'Reported',
    labels: [{ name: 'id', value: 'x7' }],
    startedAt: 5n,
    evidence: [],
    extras: [],
  };
  const notification = { idempotencyKey: 'k', group: 'g', phase: alert.phase, severity: 'P1', alerts: [alert], attempt: 1, extras: [] };
  const request = { sink: 's', kind: 'tell', config: '{}', timeoutMs: 5000, notification, extras: [] };
  const deliver = (/** @type {object} */ told) =>
    host.serve(() => sinkOf(PLUGIN).deliver({ ...request, notification: { ...notification, ...told } }));
  assert.deepEqual(await deliver({}), { reference: 'x7', extras: [] });
  assert.deepEqual(await deliver({ phase: 'other' }), { reference: undefined, extras: [] });
  assert.throws(() => deliver({ alerts: [] }), { tag: 'permanent', val: 'nothing to tell' });
  assert.throws(() => host.serve(() => sinkOf(PLUGIN).deliver({ ...request, kind: 'none' })), { tag: 'retryable' });
});

test('a run that fails keeps no state, and a plan never does', async () => {
  const host = new FakeHost();
  const keeps = check({ name: 'keeps', summary: 'Keeps', run: () => { state.set('a', 1); throw new ConfigurationError('no'); } });
  await assert.rejects(host.run(keeps), ConfigurationError);
  const plans = recovery({ name: 'plans', summary: 'Plans', plan: () => { state.set('a', 1); return []; }, act: () => done('') });
  await host.plan(plans);
  assert.equal(host.state.values.size, 0);
});

test('a description that the host would refuse is refused when it is written', () => {
  const run = () => Report.ok('');
  /** @type {[() => unknown, RegExp][]} */
  const cases = [
    [() => check({ name: 'A', summary: 'x', run }), /`A` is no name of a kind; hint: /],
    [() => check({ name: 'a', summary: '', run }), /has no summary; hint: /],
    [() => check({ name: 'a', summary: 'x', config: { a: key.string() }, run }), /the example of `a` is no .*: config\.a is not there/],
    [() => check({ name: 'a', summary: 'x', needs: [need('http', 'x', 'GET x')], run }), /`GET x` is no grant of `http`; hint: /],
    [() => check({ name: 'a', summary: 'x', metrics: [gauge('a', ''), gauge('a', '')], run }), /describes the metric `a` twice/],
    [() => check({ name: 'a', summary: 'x', failures: ['no good'], run }), /`no good` is no failure kind/],
    [() => plugin({ name: 'a', version: '1', summary: 'x', checks: [LENGTH] }), /`1` is no version/],
    [() => plugin({ name: 'a', version: '1.0.0', summary: 'x' }), /offers nothing; hint: /],
    [() => plugin({ name: 'a', version: '1.0.0', summary: 'x', checks: [LENGTH, LENGTH] }), /two of the checks are named `length`/],
  ];
  for (const [write, message] of cases) assert.throws(write, { message });
});

test('a report that was not described is told', () => {
  assert.throws(() => assertAsDescribed(LENGTH, Report.ok('').addMetric('other', 1)), /the metric `other` .* is not described/);
  assert.throws(() => assertAsDescribed(LENGTH, Report.ok('').critical('dns', '')), /the failure `dns` is not described/);
  assertAsDescribed(LENGTH, Report.ok('').addMetric('length', 1).critical('refused', ''));
});
