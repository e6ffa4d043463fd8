// The machine of the scripted host. What the test did not set is denied.

import { DeniedError } from '../errors.js';

/** @typedef {typeof import('sickbay:plugin/system@0.1.0')} Wire */

/** What `system` answers. */
export class FakeSystem {
  /** @type {import('../system.js').Cpu | undefined} */
  cpu;
  /** @type {import('../system.js').Memory | undefined} */
  memory;
  /** @type {import('../system.js').Load | undefined} */
  load;
  /** @type {import('../system.js').Disk[] | undefined} */
  disks;
  /** @type {import('../system.js').DiskIo[] | undefined} */
  diskIo;
  /** @type {import('../system.js').Process[] | undefined} All of them; the plugin sees those with the name that it asks for. */
  processes;
  /** @type {import('../system.js').Listener[] | undefined} */
  listeners;
  /** @type {import('../system.js').OpenFiles | undefined} */
  openFiles;

  /** @type {Wire['readCpu']} */
  readCpu() {
    return granted(this.cpu, 'cpu');
  }

  /** @type {Wire['readMemory']} */
  readMemory() {
    return granted(this.memory, 'memory');
  }

  /** @type {Wire['readLoad']} */
  readLoad() {
    return granted(this.load, 'load');
  }

  /** @type {Wire['readDisks']} */
  readDisks() {
    return granted(this.disks, 'disk');
  }

  /** @type {Wire['readDiskIo']} */
  readDiskIo() {
    return granted(this.diskIo, 'io');
  }

  /** @type {Wire['readProcesses']} */
  readProcesses(name) {
    const found = granted(this.processes, `processes:${name}`).filter((process) => process.name === name);
    return found.map((process) => ({ ...process, startedAt: BigInt(process.startedAt.getTime()) }));
  }

  /** @type {Wire['readListeners']} */
  readListeners() {
    return granted(this.listeners, 'listeners').map(({ process, ...told }) => (process === undefined ? told : { ...told, process }));
  }

  /** @type {Wire['readOpenFiles']} */
  readOpenFiles() {
    return granted(this.openFiles, 'files');
  }
}

/**
 * @template T
 * @param {T | undefined} value
 * @param {string} what
 */
function granted(value, what) {
  if (value === undefined) throw new DeniedError(`no grant for ${what}`, `system = ["${what}"]`);
  return value;
}
