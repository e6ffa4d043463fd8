/// <reference path="../../wit.d.ts" />

export { createDirectory, readBytes, readDirectory, readInfo, readSpace, remove, setMode } from 'sickbay:plugin/files@0.1.0';
