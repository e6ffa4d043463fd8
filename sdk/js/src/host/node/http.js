import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/http@0.1.0')} Wire */

/** @type {Wire['send']} */
export const send = (...told) => hostOf('http').http.send(...told);
/** @type {Wire['sendMany']} */
export const sendMany = (...told) => hostOf('http').http.sendMany(...told);
