import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, meaning } from '../src/calls.js';
import { DeniedError, PluginError, ServiceError, SickbayError, StatusError } from '../src/errors.js';
import { refused as sqlRefused } from '../src/postgres.js';
import { refused as replyRefused } from '../src/redis.js';

/** @param {unknown} error */
function whose(error) {
  if (error instanceof ServiceError) return `service ${error.failure}`;
  return error instanceof PluginError ? `plugin ${error.kind}` : String(error);
}

test('what the service did and what the plugin did are told apart', () => {
  const cases = [
    ['http', 'dns', 'service dns'],
    ['http', 'refused', 'service refused'],
    ['http', 'connect', 'service connection'],
    ['http', 'tls', 'service tls'],
    ['http', 'timeout', 'service timeout'],
    ['http', 'protocol', 'service protocol'],
    ['http', 'other', 'service connection'],
    ['http', 'invalid', 'plugin configuration'],
    ['http', 'quota', 'plugin quota'],
    ['net', 'closed', 'service protocol'],
    ['redis', 'authentication', 'service authentication'],
    ['postgres', 'too-many-connections', 'service too-many-connections'],
    ['files', 'not-found', 'service missing'],
    ['files', 'refused', 'service file-system'],
    ['files', 'other', 'service file-system'],
    ['secrets', 'other', 'service secret'],
    ['system', 'unsupported', 'plugin configuration'],
    ['system', 'other', 'plugin internal'],
    ['http', 'later', 'plugin internal'],
  ];
  for (const [capability = '', tag, wanted] of cases) {
    const error = meaning(capability, { payload: { tag, val: 'told' } });
    assert.equal(whose(error), wanted, `${capability} ${tag}`);
    assert.match(String(error), /told/);
  }
});

test('a denial names the line to add', () => {
  const error = meaning('http', { payload: { tag: 'denied', val: { reason: 'not granted', hint: 'http = ["GET x"]' } } });
  assert.ok(error instanceof DeniedError);
  assert.deepEqual([error.kind, error.hint, error.message], ['denied', 'http = ["GET x"]', 'not granted; hint: http = ["GET x"]']);
});

test('engines throw a variant in a payload or as it is; anything else is itself', () => {
  assert.equal(whose(meaning('http', { tag: 'dns', val: 'x' })), 'service dns');
  const defect = new TypeError('a defect');
  assert.throws(() => call('http', () => { throw defect; }), (error) => error === defect);
});

test('the state of a server is its own and the statement is the plugin\'s', () => {
  const sql = (/** @type {string} */ sqlstate) => whose(sqlRefused({ sqlstate, message: 'told' }));
  assert.deepEqual(['08006', '28P01', '53300', '53100', '53200', '53000', '57P01', '57014', '58030'].map(sql), [
    'service connection',
    'service authentication',
    'service too-many-connections',
    'service disk',
    'service memory',
    'service capacity',
    'service unavailable',
    'service timeout',
    'service file-system',
  ]);
  assert.deepEqual(['42P01', '42501', '22012'].map(sql), Array(3).fill('plugin configuration'));

  const reply = (/** @type {string} */ message) => whose(replyRefused(message));
  const messages = ['LOADING x', 'OOM x', 'NOAUTH x', 'ERR max number of clients reached', 'WRONGTYPE x'];
  assert.deepEqual(messages.map(reply), [
    'service unavailable',
    'service memory',
    'service authentication',
    'service too-many-connections',
    'plugin configuration',
  ]);
  assert.equal(whose(meaning('redis', { tag: 'connect', val: 'the server is at its `maxclients`' })), 'service too-many-connections');
  assert.equal(whose(meaning('redis', { tag: 'connect', val: 'no route' })), 'service connection');
});

test('an error has the name of its class and is for good only where asking again cannot help', () => {
  assert.equal(new DeniedError('no').name, 'DeniedError');
  assert.ok(new StatusError('HTTP 404', 404) instanceof SickbayError);
  assert.deepEqual([404, 401, 403, 407, 408, 429, 500].map((status) => new StatusError('', status).isForGood), [true, false, false, false, false, false, false]);
});
