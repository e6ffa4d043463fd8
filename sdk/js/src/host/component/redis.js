/// <reference path="../../wit.d.ts" />

export { run, runMany } from 'sickbay:plugin/redis@0.1.0';
