import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/state@0.1.0')} Wire */

/** @type {Wire['get']} */
export const get = (...told) => hostOf('state').state.get(...told);
/** @type {Wire['put']} */
export const put = (...told) => hostOf('state').state.put(...told);
/** @type {Wire['remove']} */
export const remove = (...told) => hostOf('state').state.remove(...told);
