// The clock of the scripted host.

// Host calls end before the run by the larger of these, yet not before half of its timeout.
const MARGIN_MS = 100;
const MARGIN_RATIO = 0.1;

/** A clock that moves when the test, or a scripted answer, moves it. */
export class FakeClock {
  #nowMs = Date.UTC(2026, 0, 1);
  /** @type {number | undefined} */
  #callsEndMs;

  /** What time it is. */
  get now() {
    return new Date(this.#nowMs);
  }

  set now(now) {
    this.#nowMs = now.getTime();
  }

  nowMs() {
    return this.#nowMs;
  }

  /**
   * That much later.
   * @param {number} milliseconds
   */
  advance(milliseconds) {
    this.#nowMs += milliseconds;
  }

  /**
   * A run begins.
   * @param {number} timeoutMs
   */
  begin(timeoutMs) {
    const marginMs = Math.min(Math.max(MARGIN_MS, timeoutMs * MARGIN_RATIO), timeoutMs / 2);
    this.#callsEndMs = this.#nowMs + timeoutMs - marginMs;
  }

  /** The run is over. */
  end() {
    this.#callsEndMs = undefined;
  }

  /**
   * Until a call that begins now is ended.
   * @param {number | undefined} timeoutMs
   */
  callMayTakeMs(timeoutMs = Infinity) {
    const leftMs = this.#callsEndMs === undefined ? Infinity : Math.max(0, this.#callsEndMs - this.#nowMs);
    return Math.min(leftMs, timeoutMs);
  }
}
