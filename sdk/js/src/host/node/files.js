import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/files@0.1.0')} Wire */

/** @type {Wire['createDirectory']} */
export const createDirectory = (...told) => hostOf('files').files.createDirectory(...told);
/** @type {Wire['readBytes']} */
export const readBytes = (...told) => hostOf('files').files.readBytes(...told);
/** @type {Wire['readDirectory']} */
export const readDirectory = (...told) => hostOf('files').files.readDirectory(...told);
/** @type {Wire['readInfo']} */
export const readInfo = (...told) => hostOf('files').files.readInfo(...told);
/** @type {Wire['readSpace']} */
export const readSpace = (...told) => hostOf('files').files.readSpace(...told);
/** @type {Wire['remove']} */
export const remove = (...told) => hostOf('files').files.remove(...told);
/** @type {Wire['setMode']} */
export const setMode = (...told) => hostOf('files').files.setMode(...told);
