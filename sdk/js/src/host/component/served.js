// A component is loaded twice: once when it is built, with no host to call, and its functions are called later, on a host.

let served = false;

/** Whether a host answers. */
export function isServed() {
  return served;
}

/** From here on a host answers. */
export function serve() {
  served = true;
}
