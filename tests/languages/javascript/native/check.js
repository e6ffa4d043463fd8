// The same check as a process: its configuration is the argument.

import { argv } from 'node:process';

const { waiting, limit } = JSON.parse(argv[2]);
console.log(`OK - ${waiting} of at most ${limit} jobs wait | waiting=${waiting}`);
