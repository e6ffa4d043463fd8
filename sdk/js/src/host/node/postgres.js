import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/postgres@0.1.0')} Wire */

/** @type {Wire['run']} */
export const run = (...told) => hostOf('postgres').postgres.run(...told);
/** @type {Wire['runMany']} */
export const runMany = (...told) => hostOf('postgres').postgres.runMany(...told);
/** @type {Wire['runSimple']} */
export const runSimple = (...told) => hostOf('postgres').postgres.runSimple(...told);
