import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/redis@0.1.0')} Wire */

/** @type {Wire['run']} */
export const run = (...told) => hostOf('redis').redis.run(...told);
/** @type {Wire['runMany']} */
export const runMany = (...told) => hostOf('redis').redis.runMany(...told);
