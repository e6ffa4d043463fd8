// The kinds `files`, `secrets` and `system`.

import { check, ConfigurationError, files, key, secrets, system } from '@sickbay/sdk';
import { bytes, Lines, milliseconds, numbers, optional, string, text } from './told.js';

const READ_BYTES_MAX = 4096;
const ENTRIES_MAX = 100;
const MODE = 0o640;

const WORK = /** @type {const} */ (['info', 'directory', 'read', 'space', 'create', 'remove', 'mode']);

export const useFiles = check({
  name: 'files',
  summary: 'Tells of files',
  config: {
    paths: key.array('', key.string()),
    what: key.oneOf('What is done with each', WORK).default('info'),
    tell_errors: key.boolean('Whether an error is a line').default(false),
  },
  example: { paths: ['/etc/hostname'] },

  run({ config }) {
    const lines = new Lines();
    for (const path of config.paths) lines.attempt(config.tell_errors, () => lines.push(...work(config.what, path)));
    return lines.report();
  },
});

/**
 * @param {typeof WORK[number]} what
 * @param {string} path
 * @returns {string[]}
 */
function work(what, path) {
  switch (what) {
    case 'info':
      return [file(files.stat(path))];
    case 'directory':
      return files.readdir(path, { entriesMax: ENTRIES_MAX }).map(file);
    case 'read':
      return [`read ${string(files.read(path, { bytesMax: READ_BYTES_MAX }))}`];
    case 'space': {
      const { totalBytes, availableBytes, inodesTotal, inodesFree } = files.space(path);
      return [`space ${numbers(totalBytes, availableBytes, inodesTotal, inodesFree)}`];
    }
    case 'create':
      files.mkdir(path);
      return ['done'];
    case 'remove':
      files.remove(path);
      return ['done'];
    default:
      files.chmod(path, MODE);
      return ['done'];
  }
}

/** @param {files.FileInfo} info */
function file({ name, kind, sizeBytes, modifiedAt, mode, writable, identity }) {
  return `file ${text(name)} ${text(kind)} ${sizeBytes} ${milliseconds(modifiedAt)} ${mode} ${writable} ${text(identity)}`;
}

export const useSecrets = check({
  name: 'secrets',
  summary: 'Uses secrets',
  config: {
    secrets: key.array('Names of secrets; of `encode` what is encoded', key.string()),
    what: key.oneOf('What is done with each', ['inspect', 'sign', 'encode']).default('inspect'),
    tell_errors: key.boolean('Whether an error is a line').default(false),
  },
  example: { secrets: ['api'] },

  run({ config }) {
    const lines = new Lines();
    for (const secret of config.secrets) lines.attempt(config.tell_errors, () => lines.push(...used(config.what, secret)));
    return lines.report();
  },
});

/**
 * @param {'inspect' | 'sign' | 'encode'} what
 * @param {string} secret
 */
function used(what, secret) {
  switch (what) {
    case 'inspect': {
      const { changedAt, versions } = secrets.inspect(secret);
      return [`secret ${changedAt === undefined ? 'null' : milliseconds(changedAt)} ${versions}`];
    }
    case 'sign':
      return secrets.sign(secret, 'data', { prefix: 'AWS4' }).map((signature) => `signature ${bytes(signature)}`);
    default:
      return [`encoded ${text(secrets.encode(secret, 'base64'))}`];
  }
}

export const readSystem = check({
  name: 'system',
  summary: 'Tells of the machine',
  config: {
    what: key.array('`cpu`, `memory`, `load`, `disks`, `io`, `processes`, `listeners`, `files`', key.string()),
    process: key.string('Of which name').default('nginx'),
    tell_errors: key.boolean('Whether an error is a line').default(false),
  },
  example: { what: ['memory'] },

  run({ config }) {
    const lines = new Lines();
    for (const what of config.what) lines.attempt(config.tell_errors, () => lines.push(...read(what, config.process)));
    return lines.report();
  },
});

/**
 * @param {string} what
 * @param {string} process
 * @returns {string[]}
 */
function read(what, process) {
  switch (what) {
    case 'cpu': {
      const { busyRatio, iowaitRatio, cores, windowMs } = system.cpu();
      return [`cpu ${numbers(busyRatio, iowaitRatio)} ${cores} ${windowMs}`];
    }
    case 'memory': {
      const { totalBytes, availableBytes, swapTotalBytes, swapUsedBytes } = system.memory();
      return [`memory ${numbers(totalBytes, availableBytes, swapTotalBytes, swapUsedBytes)}`];
    }
    case 'load': {
      const { one, five, fifteen } = system.load();
      return [`load ${numbers(one, five, fifteen)}`];
    }
    case 'disks':
      return system.disks().map(disk);
    case 'io':
      return system.diskIo().map(({ device, readBytes, writtenBytes, busySeconds }) => {
        return `io ${text(device)} ${numbers(readBytes, writtenBytes, busySeconds)}`;
      });
    case 'processes':
      return system.processes(process).map(({ pid, name, residentBytes, cpuSeconds, startedAt }) => {
        return `process ${pid} ${text(name)} ${numbers(residentBytes, cpuSeconds)} ${milliseconds(startedAt)}`;
      });
    case 'listeners':
      return system.listeners().map(({ protocol, address, port, process: owner }) => {
        return `listener ${text(protocol)} ${text(address)} ${port} ${optional(owner)}`;
      });
    case 'files': {
      const { open, maximum } = system.openFiles();
      return [`open-files ${numbers(open, maximum)}`];
    }
    default:
      throw new ConfigurationError(`there is no topic ${what}`);
  }
}

/** @param {system.Disk} disk */
function disk({ mount, device, fileSystem, totalBytes, availableBytes, inodesTotal, inodesFree, readOnly }) {
  const room = numbers(totalBytes, availableBytes, inodesTotal, inodesFree);
  return `disk ${text(mount)} ${text(device)} ${text(fileSystem)} ${room} ${readOnly}`;
}
