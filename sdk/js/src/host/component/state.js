/// <reference path="../../wit.d.ts" />

export { get, put, remove } from 'sickbay:plugin/state@0.1.0';
