import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ours from '../src/host/globals/text-codec.js';
import { ConfigurationError } from '../src/errors.js';
import { exact } from '../src/exact.js';
import { cut, json, shown, span, unsigned } from '../src/text.js';

test('the codec for engines without one does what the web\'s does', () => {
  const texts = ['', 'plain', 'ü é ß', '€ 漢', '😀 and 𝄞', 'half \ud83d of one', '\udc00', '\u0000\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}'];
  for (const text of texts) {
    const bytes = new TextEncoder().encode(text);
    assert.deepEqual(new ours.TextEncoder().encode(text), bytes);
    assert.equal(new ours.TextDecoder().decode(bytes), new TextDecoder().decode(bytes));
  }
  // Every pair of bytes, and three that begin what the fourth does not go on with.
  for (let first = 0; first < 256; first += 1) {
    for (let second = 0; second < 256; second += 1) {
      const bytes = new Uint8Array([first, second, 0x80, 0x41]);
      assert.equal(new ours.TextDecoder().decode(bytes), new TextDecoder().decode(bytes), `${first} ${second}`);
    }
  }
  const marked = new Uint8Array([0xef, 0xbb, 0xbf, 0x41]);
  assert.equal(new ours.TextDecoder('UTF-8').decode(marked.buffer), 'A');
  assert.equal(new ours.TextDecoder().decode(new DataView(marked.buffer, 3)), 'A');
  assert.throws(() => new ours.TextDecoder('latin1'), RangeError);
});

test('a text is cut at a character and shows that something is missing', () => {
  for (const character of ['x', 'é', '€', '😀']) {
    for (let bytesMax = 10; bytesMax < 20; bytesMax += 1) {
      const text = cut(character.repeat(30), bytesMax);
      assert.ok(Buffer.byteLength(text) <= bytesMax && Buffer.byteLength(text) > bytesMax - 4, `${character} ${bytesMax}`);
      assert.equal(text.replaceAll(character, ''), '…');
    }
  }
});

test('a number that the contract has no room for is refused', () => {
  assert.deepEqual([span('x', undefined), span('x', 0.2), span('x', 1e12)], [undefined, 1, 2 ** 32 - 1]);
  for (const wrong of [0, -1, NaN]) assert.throws(() => span('timeoutMs', wrong), ConfigurationError);
  for (const wrong of [-1, 1.5, NaN, 256]) assert.throws(() => unsigned('redirectsMax', wrong, 255), ConfigurationError);
});

test('whole numbers stay exact and JSON holds what it can', () => {
  assert.deepEqual([exact(5n), exact(2n ** 53n), exact(-(2n ** 63n))], [5, 2n ** 53n, -(2n ** 63n)]);
  assert.equal(json('x', { a: 5n, b: 'a\ud800' }), '{"a":5,"b":"a\\ud800"}');
  assert.throws(() => json('the token', undefined), /the token cannot be written as JSON/);
  assert.deepEqual([shown('a'), shown(5n), shown(undefined), shown({ a: 1n })], ['a', '"5"', 'undefined', '{"a":"1"}']);
});
