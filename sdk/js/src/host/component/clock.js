/** Milliseconds since 1970, by the host's clock. */
export function nowMs() {
  return Date.now();
}
