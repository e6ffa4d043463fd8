import { fetch } from '../../fetch.js';

export { fetch, fetch as 'globalThis.fetch' };
