/** What went wrong, and what to do about it. */
export class BuildError extends Error {
  /**
   * @param {string} message
   * @param {string} [hint]
   * @param {ErrorOptions} [options]
   */
  constructor(message, hint = '', options) {
    super(message, options);
    this.hint = hint;
  }
}
