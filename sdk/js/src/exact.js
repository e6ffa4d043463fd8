// Whole numbers of 64 bits.

/**
 * A whole number as it is: a `number` where that is exact, a `bigint` beyond 2^53.
 * @param {bigint | number} value
 */
export function exact(value) {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
