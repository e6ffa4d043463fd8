import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as key from '../src/key.js';
import { expectValid } from '../src/violation.js';

const KEYS = {
  url: key.string('Where', { pattern: '^https?://' }),
  limit: key.integer('How many', { minimum: 0 }).default(100),
  mode: key.oneOf('How', ['fast', 'slow']).optional(),
  hosts: key.array('Which', key.string('', { maxLength: 3 }), { maxItems: 2 }).default([]),
  until: key.date('When').optional(),
  owner: key.object('Who', { name: key.string(), mail: key.string().optional() }).optional(),
  weights: key.table('How much', key.number()).default({}),
};

/** @param {unknown} value */
const read = (value) => key.readKeys(KEYS, value, 'config', true);

test('the schema is one that the host validates against', () => {
  assert.deepEqual(key.schemaOf(KEYS), {
    type: 'object',
    properties: {
      url: { type: 'string', pattern: '^https?://', description: 'Where' },
      limit: { type: 'integer', minimum: 0, description: 'How many', default: 100 },
      mode: { enum: ['fast', 'slow'], description: 'How' },
      hosts: { type: 'array', items: { type: 'string', maxLength: 3 }, maxItems: 2, description: 'Which', default: [] },
      until: { type: 'string', format: 'date-time', description: 'When' },
      owner: {
        type: 'object',
        properties: { name: { type: 'string' }, mail: { type: 'string' } },
        required: ['name'],
        additionalProperties: false,
        description: 'Who',
      },
      weights: { type: 'object', additionalProperties: { type: 'number' }, description: 'How much', default: {} },
    },
    required: ['url'],
    additionalProperties: false,
  });
});

test('what is left out is the default or undefined', () => {
  assert.deepEqual(read({ url: 'x' }), {
    url: 'x',
    limit: 100,
    mode: undefined,
    hosts: [],
    until: undefined,
    owner: undefined,
    weights: {},
  });
});

test('what is there is read in its type, inside of lists and tables too', () => {
  const config = read({ url: 'x', hosts: ['a'], until: '2026-01-01T00:00:00Z', owner: { name: 'ops' }, weights: { a: 0.5 }, mode: 'slow' });
  assert.deepEqual(config.until, new Date(Date.UTC(2026, 0, 1)));
  assert.deepEqual([config.hosts, config.owner, config.weights, config.mode], [['a'], { name: 'ops', mail: undefined }, { a: 0.5 }, 'slow']);
});

test('a default is not shared between runs', () => {
  read({ url: 'x' }).hosts.push('changed');
  assert.deepEqual(read({ url: 'x' }).hosts, []);
});

test('what does not fit is told with its place', () => {
  /** @type {[unknown, string][]} */
  const cases = [
    [5, 'config is 5, must be a table'],
    [{}, 'config.url is not there'],
    [{ url: 5 }, 'config.url is 5, must be a text'],
    [{ url: null }, 'config.url is nothing, must be a text'],
    [{ url: 'x', limit: 1.5 }, 'config.limit is 1.5, must be a whole number'],
    [{ url: 'x', mode: 'none' }, 'config.mode is `none`, must be one of `fast`, `slow`'],
    [{ url: 'x', hosts: ['a', true] }, 'config.hosts[1] is true, must be a text'],
    [{ url: 'x', until: 'soon' }, 'config.until is `soon`, must be a time such as 2026-01-31T08:00:00Z'],
    [{ url: 'x', owner: { name: 'a', age: 5 } }, 'config.owner has an unknown key `age`; known: mail, name'],
    [{ url: 'x', frob: 1 }, 'config has an unknown key `frob`; known: hosts, limit, mode, owner, until, url, weights'],
    [{ url: 'x', weights: { a: 'b' } }, 'config.weights.a is `b`, must be a number'],
  ];
  for (const [value, message] of cases) assert.throws(() => read(value), { message });
});

test('a body may hold more than was asked for', () => {
  assert.deepEqual(key.object('', { a: key.number() }).read({ a: 1, b: 2 }, 'body', false), { a: 1 });
});

test('bounds are looked at where the host would, not in a run', () => {
  const config = { url: 'ftp://x', limit: -1, hosts: ['long'] };
  assert.equal(read(config).limit, -1);
  /** @type {[object, RegExp][]} */
  const cases = [
    [{ url: 'ftp://x' }, /^config\.url must match \^https/],
    [{ url: 'http://x', limit: -1 }, /^config\.limit must be at least 0$/],
    [{ url: 'http://x', hosts: ['long'] }, /^config\.hosts\[0\] must have this many characters or fewer: 3$/],
    [{ url: 'http://x', hosts: ['a', 'b', 'c'] }, /^config\.hosts must have this many items or fewer: 2$/],
  ];
  for (const [value, message] of cases) assert.throws(() => expectValid(KEYS, value, 'config'), { message });
  expectValid(KEYS, { url: 'http://x', hosts: ['😀😀😀'] }, 'config');
});

test('a default that does not fit is a mistake of the author', () => {
  assert.throws(() => key.integer('').default(1.5), { message: 'the default is 1.5, must be a whole number' });
});
