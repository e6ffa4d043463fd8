import { hostOf } from './served.js';

/** @typedef {typeof import('sickbay:plugin/system@0.1.0')} Wire */

/** @type {Wire['readCpu']} */
export const readCpu = (...told) => hostOf('system').system.readCpu(...told);
/** @type {Wire['readDiskIo']} */
export const readDiskIo = (...told) => hostOf('system').system.readDiskIo(...told);
/** @type {Wire['readDisks']} */
export const readDisks = (...told) => hostOf('system').system.readDisks(...told);
/** @type {Wire['readListeners']} */
export const readListeners = (...told) => hostOf('system').system.readListeners(...told);
/** @type {Wire['readLoad']} */
export const readLoad = (...told) => hostOf('system').system.readLoad(...told);
/** @type {Wire['readMemory']} */
export const readMemory = (...told) => hostOf('system').system.readMemory(...told);
/** @type {Wire['readOpenFiles']} */
export const readOpenFiles = (...told) => hostOf('system').system.readOpenFiles(...told);
/** @type {Wire['readProcesses']} */
export const readProcesses = (...told) => hostOf('system').system.readProcesses(...told);
