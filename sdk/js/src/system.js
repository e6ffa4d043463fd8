// The machine that Sickbay runs on, as far as `grants = { system = [...] }` allows. Amounts are exact to 8 PiB.

import * as wire from '#host/system.js';
import { call } from './calls.js';
import { time } from './network.js';
import { clean } from './text.js';

/** @typedef {import('sickbay:plugin/system@0.1.0').Cpu} Cpu */
/** @typedef {import('sickbay:plugin/system@0.1.0').Memory} Memory */
/** @typedef {import('sickbay:plugin/system@0.1.0').Load} Load */
/** @typedef {import('sickbay:plugin/system@0.1.0').Disk} Disk */
/** @typedef {import('sickbay:plugin/system@0.1.0').DiskIo} DiskIo */
/** @typedef {import('sickbay:plugin/system@0.1.0').OpenFiles} OpenFiles */

/**
 * One process.
 * @typedef {Omit<import('sickbay:plugin/system@0.1.0').Process, 'startedAt'> & { startedAt: Date }} Process
 */

/**
 * One socket that waits for peers.
 * @typedef {Omit<import('sickbay:plugin/system@0.1.0').Listener, 'process'> & { process: string | undefined }} Listener
 */

/**
 * How busy the processors are, as the host sampled it. Grant: `cpu`.
 * @returns {Cpu}
 */
export function cpu() {
  return call('system', () => wire.readCpu());
}

/**
 * Memory and swap. Grant: `memory`.
 * @returns {Memory}
 */
export function memory() {
  return call('system', () => wire.readMemory());
}

/**
 * Load averages over 1, 5 and 15 minutes. Grant: `load`.
 * @returns {Load}
 */
export function load() {
  return call('system', () => wire.readLoad());
}

/**
 * Mounted file systems. Grant: `disk`.
 * @returns {Disk[]}
 */
export function disks() {
  return call('system', () => wire.readDisks());
}

/**
 * Disk traffic, counted since boot. Grant: `io`.
 * @returns {DiskIo[]}
 */
export function diskIo() {
  return call('system', () => wire.readDiskIo());
}

/**
 * Processes with exactly this name, at most 1000. Grant: `processes:NAME`.
 * @param {string} name
 * @returns {Process[]}
 */
export function processes(name) {
  return call('system', () => wire.readProcesses(clean(name))).map((process) => ({ ...process, startedAt: time(process.startedAt) }));
}

/**
 * Sockets that listen. Grant: `listeners`.
 * @returns {Listener[]}
 */
export function listeners() {
  return call('system', () => wire.readListeners()).map((listener) => ({ ...listener, process: listener.process ?? undefined }));
}

/**
 * Open files of the whole machine. Grant: `files`.
 * @returns {OpenFiles}
 */
export function openFiles() {
  return call('system', () => wire.readOpenFiles());
}
