// What time it is. Tests set it, which they cannot for `Date.now()`.

import * as wire from '#host/clock.js';

/** The time of day, by the host's clock. */
export function now() {
  return new Date(wire.nowMs());
}

/** Milliseconds since 1970, by the host's clock. */
export function nowMs() {
  return wire.nowMs();
}
