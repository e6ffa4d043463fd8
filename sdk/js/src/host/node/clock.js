import { hostOf, isServed } from './served.js';

/** Milliseconds since 1970: by the scripted host in a run, else the time of day. */
export function nowMs() {
  return isServed() ? hostOf('clock').clock.nowMs() : Date.now();
}
