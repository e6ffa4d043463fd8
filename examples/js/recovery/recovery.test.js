import assert from 'node:assert/strict';
import { test } from 'node:test';
import { done, failed, running, UnreachableError } from '@sickbay/sdk';
import { FakeHost } from '@sickbay/sdk/testing';
import { restart } from './recovery.js';

const ACTION = { id: 'restart-api', title: 'Restart api (2 replicas)', target: 'api', parameters: { replicas: 2 } };

test('the plan only reads and names the step', async () => {
  const host = new FakeHost();
  host.http.reply(200, { json: { state: 'running', replicas: 2 } });
  assert.deepEqual(await host.plan(restart), [{ ...ACTION, idempotent: false, extras: {} }]);
  assert.deepEqual(host.http.sent.map((request) => request.method), ['GET']);
});

test('a service that restarts already needs no step', async () => {
  const host = new FakeHost();
  host.http.reply(200, { json: { state: 'restarting', replicas: 2 } });
  assert.deepEqual(await host.plan(restart), []);
});

test('a step is followed until it is done', async () => {
  const host = new FakeHost();
  host.http.reply(201, { json: { id: 'r1', state: 'running' } });
  const begun = await host.act(restart, ACTION, undefined, { idempotencyKey: '01KEY' });
  assert.deepEqual(begun, running({ id: 'r1' }, 'api is restarting', { againAfterMs: 5_000 }));
  assert.equal(host.http.sent[0]?.headers.get('idempotency-key'), '01KEY');
  assert.deepEqual(host.http.sent[0]?.json(), { replicas: 2 });

  host.http.reply(200, { json: { id: 'r1', state: 'done' } });
  const ended = await host.follow(restart, ACTION, { id: 'r1' });
  assert.deepEqual(ended, done('api was restarted', { actions: ['restart r1'] }));
  assert.equal(host.http.sent[1]?.url, 'https://orchestrator.example.com/services/api/restarts/r1');
});

test('an orchestrator that does not answer has not done the step', async () => {
  const host = new FakeHost();
  host.http.fail(new UnreachableError('connection reset'));
  assert.deepEqual(await host.act(restart, ACTION), failed('connection: connection reset'));
});
