/// <reference path="../../wit.d.ts" />

export { run, runMany, runSimple } from 'sickbay:plugin/postgres@0.1.0';
