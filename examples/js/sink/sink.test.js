import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PermanentError, RetryableError, TimeoutError } from '@sickbay/sdk';
import { alert, FakeHost, notification } from '@sickbay/sdk/testing';
import { chat } from './sink.js';

test('a group is one message that is edited', async () => {
  const host = new FakeHost();
  host.http.reply(201, { json: { id: 'm7' } });
  const firing = notification([alert({ check: 'api', summary: 'down' })]);
  assert.deepEqual(await host.deliver(chat, undefined, { notification: firing }), { reference: 'm7' });

  host.http.reply(200, { json: { id: 'm7' } });
  const resolved = notification([alert({ check: 'api', summary: 'up', phase: 'resolved' })], { reference: 'm7' });
  await host.deliver(chat, undefined, { notification: resolved });
  assert.deepEqual(host.http.sent.map((request) => request.method), ['POST', 'PUT']);
  assert.match(host.http.sent[1]?.url ?? '', /\/messages\/m7$/);
  assert.match(host.http.sent[1]?.json().text, /api: up/);
});

test('the token goes out as the placeholder that came', async () => {
  const host = new FakeHost();
  host.http.reply(200, { json: { id: 'm7' } });
  await host.deliver(chat);
  assert.equal(host.http.sent[0]?.headers.get('authorization'), 'Bearer {{secret:chat-token}}');
});

test('a refusal is for good and everything else is tried again', async () => {
  const host = new FakeHost();
  host.http.reply(404);
  await assert.rejects(host.deliver(chat), PermanentError);
  host.http.reply(429, { headers: { 'retry-after': '30' } });
  await assert.rejects(host.deliver(chat), (error) => error instanceof RetryableError && error.afterMs === 30_000);
  host.http.fail(new TimeoutError('no answer'));
  await assert.rejects(host.deliver(chat), RetryableError);
});

test('a word of a later version is passed over', async () => {
  const host = new FakeHost();
  assert.deepEqual(await host.deliver(chat, undefined, { notification: notification(undefined, { phase: 'other' }) }), {});
  assert.deepEqual(host.http.sent, []);
});
