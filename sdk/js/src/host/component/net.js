/// <reference path="../../wit.d.ts" />

export { connect, dnsResolve } from 'sickbay:plugin/net@0.1.0';
