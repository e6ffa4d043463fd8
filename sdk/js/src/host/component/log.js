/// <reference path="../../wit.d.ts" />

export { write } from 'sickbay:plugin/log@0.1.0';
