// The conformance plugin in JavaScript. `tests/conformance/README.md` says what each kind does and how it tells what it saw.

import { plugin } from '@sickbay/sdk';
import { askPostgres, askRedis } from './databases.js';
import { readSystem, useFiles, useSecrets } from './machine.js';
import { askHttp, connect, resolve } from './network.js';
import { asked, end, kept, logged, reports } from './own.js';

export default plugin({
  name: 'conformance-js',
  version: '0.1.0',
  summary: 'What every language must do alike',
  licence: 'Apache-2.0',
  checks: [asked, reports, end, kept, logged, askHttp, askPostgres, askRedis, connect, resolve, useFiles, useSecrets, readSystem],
});
