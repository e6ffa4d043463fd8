import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/log@0.1.0')} Wire */

/** @type {Wire['write']} */
export const write = (...told) => hostOf('log').log.write(...told);
