// Puts the contract into the package: in the repository the build takes it from `wit/` at the top.

import { cp, rm } from 'node:fs/promises';

const TARGET = new URL('../wit', import.meta.url);

await rm(TARGET, { recursive: true, force: true });
await cp(new URL('../../../wit', import.meta.url), TARGET, { recursive: true });
