import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Report } from '../src/report.js';
import { report as wireReport, reportHere } from '../src/wire.js';

test('the worst finding wins and the first of its weight speaks', () => {
  const report = Report.ok('fine')
    .warning('latency', 'slow')
    .critical('content', 'wrong')
    .critical('certificate', 'expired')
    .warning('latency', 'slower');
  assert.deepEqual([report.status, report.summary, report.failure], ['critical', 'wrong', 'content']);
  assert.equal(Report.unknown('cannot tell').warning('disk', 'full').status, 'warning');
});

test('a report crosses the boundary and comes back', () => {
  const report = Report.ok('fine')
    .addMetric('length', 5n, '', { queue: 7 })
    .addCounter('runs', 3)
    .addEvidence('length', 5, 'at most 4')
    .addExtra('mycompany.region', 'eu')
    .withDetails({ oldest: 'job-17', size: 9n });
  const wire = wireReport(report);
  assert.deepEqual(wire.metrics[0], { name: 'length', value: 5, kind: 'gauge', unit: '', labels: [{ name: 'queue', value: '7' }] });
  assert.equal(wire.details, '{"oldest":"job-17","size":9}');
  const back = reportHere(wire);
  assert.deepEqual({ ...back }, { ...report, details: { oldest: 'job-17', size: 9 } });
  assert.ok(back instanceof Report);
});

test('what is too long is cut, and details are left out', () => {
  const report = Report.ok('é'.repeat(400)).addEvidence('', 'x'.repeat(2000), '').withDetails({ text: 'x'.repeat(64 << 10) });
  for (let index = 0; index < 300; index += 1) report.addMetric(`m${index}`, 1);
  for (let index = 0; index < 10; index += 1) report.addEvidence('', index, index);
  const wire = wireReport(report);
  assert.ok(Buffer.byteLength(wire.summary) <= 512 && wire.summary.endsWith('é…'));
  assert.equal(Buffer.byteLength(wire.evidence[0]?.actual ?? ''), 1024);
  assert.deepEqual([wire.metrics.length, wire.evidence.length, wire.details], [256, 8, undefined]);
  assert.equal(wire.extras[0]?.name, 'sdk.details-dropped-bytes');
});

test('a text of exactly the bound is not cut, and half a character is mended', () => {
  assert.equal(wireReport(Report.ok('x'.repeat(512))).summary, 'x'.repeat(512));
  assert.equal(wireReport(Report.ok('a\ud800b')).summary, 'a\ufffdb');
});

test('a name that the host would refuse is refused where it is written', () => {
  const report = Report.ok('');
  assert.throws(() => report.addMetric('Latency', 1), /`Latency` is no name for a metric; hint: /);
  assert.throws(() => report.critical('Too Many', ''), /`Too Many` is no failure kind; hint: /);
  assert.throws(() => report.addMetric('latency', /** @type {any} */ ('5')), /the metric `latency` is string/);
});
