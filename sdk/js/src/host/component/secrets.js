/// <reference path="../../wit.d.ts" />

export { encode, inspect, sign } from 'sickbay:plugin/secrets@0.1.0';
