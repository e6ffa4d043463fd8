export { console } from '../../console.js';
