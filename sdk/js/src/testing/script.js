// Answers in the order in which they were scripted, and the time that they take.

import { TimeoutError } from '../errors.js';

/** What an answer takes unless the test says otherwise. */
export const AFTER_MS = 1;

/** The plugin asked for something that the test did not script. */
export class NotScriptedError extends Error {
  /** @param {string} asked */
  constructor(asked) {
    super(`the test scripted no answer to ${asked}`);
    this.name = 'NotScriptedError';
  }
}

/**
 * What is answered next.
 * @template T
 */
export class Script {
  #clock;
  /** @type {{ answer: T | Error, afterMs: number }[]} */
  #answers = [];

  /** @param {import('./clock.js').FakeClock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * One more answer, which takes `afterMs`.
   * @param {T | Error} answer
   * @param {number} afterMs
   */
  add(answer, afterMs) {
    this.#answers.push({ answer, afterMs });
  }

  /**
   * The next answer; one that would take longer than the call may is a timeout, as on a real host.
   * @param {string} asked
   * @param {number | undefined} timeoutMs
   * @returns {T}
   */
  next(asked, timeoutMs) {
    const next = this.#answers.shift();
    if (next === undefined) throw new NotScriptedError(asked);
    const mayTakeMs = this.#clock.callMayTakeMs(timeoutMs);
    this.#clock.advance(Math.min(next.afterMs, mayTakeMs));
    if (next.afterMs > mayTakeMs) throw new TimeoutError(`no answer to ${asked} within ${mayTakeMs} ms`);
    if (next.answer instanceof Error) throw next.answer;
    return next.answer;
  }
}
