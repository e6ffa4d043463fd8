import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/net@0.1.0')} Wire */

/** @type {Wire['connect']} */
export const connect = (...told) => hostOf('net').net.connect(...told);
/** @type {Wire['dnsResolve']} */
export const dnsResolve = (...told) => hostOf('net').net.dnsResolve(...told);
