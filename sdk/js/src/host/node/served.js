// Who answers the calls of a plugin in a test: the scripted host of the run. Outside of a run nobody does.

import { AsyncLocalStorage } from 'node:async_hooks';

/** @typedef {import('../../testing/host.js').FakeHost} FakeHost */

/** @type {AsyncLocalStorage<FakeHost>} */
const hosts = new AsyncLocalStorage();

/** Whether a host answers. */
export function isServed() {
  return hosts.getStore() !== undefined;
}

/**
 * The host that answers here.
 * @param {string} capability
 */
export function hostOf(capability) {
  const host = hosts.getStore();
  if (host !== undefined) return host;
  throw new Error(
    `no host answers \`${capability}\` here; hint: in a test call it inside \`new FakeHost().run(..)\` or \`.serve(() => ..)\` of ` +
      '`@sickbay/sdk/testing`; a component is made by `sickbay-build`',
  );
}

/**
 * Has the host answer whatever the work calls.
 * @template T
 * @param {FakeHost} host
 * @param {() => T} work
 */
export function serveWith(host, work) {
  return hosts.run(host, work);
}

/** A component's begin of a run; here a run begins with its scripted host. */
export function serve() {}
