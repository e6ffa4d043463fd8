/// <reference path="../../wit.d.ts" />

export { send, sendMany } from 'sickbay:plugin/http@0.1.0';
