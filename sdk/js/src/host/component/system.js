/// <reference path="../../wit.d.ts" />

export { readCpu, readDiskIo, readDisks, readListeners, readLoad, readMemory, readOpenFiles, readProcesses } from 'sickbay:plugin/system@0.1.0';
