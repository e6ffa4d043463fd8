import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/secrets@0.1.0')} Wire */

/** @type {Wire['encode']} */
export const encode = (...told) => hostOf('secrets').secrets.encode(...told);
/** @type {Wire['inspect']} */
export const inspect = (...told) => hostOf('secrets').secrets.inspect(...told);
/** @type {Wire['sign']} */
export const sign = (...told) => hostOf('secrets').secrets.sign(...told);
