// UTF-8 for an engine that has no codec of its own. Nothing but what the web's classes do with their defaults.

const REPLACEMENT = 0xfffd;

export class TextEncoder {
  get encoding() {
    return 'utf-8';
  }

  /** @param {string} [text] */
  encode(text = '') {
    /** @type {number[]} */
    const bytes = [];
    for (const character of String(text)) {
      const point = character.codePointAt(0) ?? 0;
      // Half a character.
      push(bytes, point >= 0xd800 && point <= 0xdfff ? REPLACEMENT : point);
    }
    return new Uint8Array(bytes);
  }
}

/**
 * @param {number[]} bytes
 * @param {number} point
 */
function push(bytes, point) {
  if (point < 0x80) bytes.push(point);
  else if (point < 0x800) bytes.push(0xc0 | (point >> 6), further(point));
  else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), further(point >> 6), further(point));
  else bytes.push(0xf0 | (point >> 18), further(point >> 12), further(point >> 6), further(point));
}

/** @param {number} point */
function further(point) {
  return 0x80 | (point & 0x3f);
}

export class TextDecoder {
  /** @param {string} [label] */
  constructor(label = 'utf-8') {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`the encoding ${label} is not there; hint: only utf-8 is`);
  }

  get encoding() {
    return 'utf-8';
  }

  /** @param {ArrayBuffer | ArrayBufferView} [data] */
  decode(data = new Uint8Array(0)) {
    const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    let text = '';
    // A mark at the begin is no text.
    let next = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    while (next < bytes.length) {
      const { point, length } = characterAt(bytes, next);
      text += String.fromCodePoint(point);
      next += length;
    }
    return text;
  }
}

/**
 * The character that begins there, and how many bytes it takes. What is none takes the bytes that could have begun one.
 * @param {Uint8Array} bytes
 * @param {number} start
 */
function characterAt(bytes, start) {
  const first = bytes[start] ?? 0;
  if (first < 0x80) return { point: first, length: 1 };
  const size = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (size === 0) return { point: REPLACEMENT, length: 1 };
  let point = first & (0xff >> (size + 1));
  for (let index = 1; index < size; index += 1) {
    const byte = bytes[start + index] ?? 0;
    const [lowest, highest] = index === 1 ? secondOf(first) : [0x80, 0xbf];
    if (byte < lowest || byte > highest) return { point: REPLACEMENT, length: index };
    point = (point << 6) | (byte & 0x3f);
  }
  return { point, length: size };
}

/**
 * What may follow: no longer spelling of a shorter character, no half one, none beyond the last.
 * @param {number} first
 * @returns {[number, number]}
 */
function secondOf(first) {
  if (first === 0xe0) return [0xa0, 0xbf];
  if (first === 0xed) return [0x80, 0x9f];
  if (first === 0xf0) return [0x90, 0xbf];
  if (first === 0xf4) return [0x80, 0x8f];
  return [0x80, 0xbf];
}
