// Whether a check keeps to what it says of itself.

/**
 * Throws with the first metric or failure kind of the report that the check does not describe.
 * @param {import('../check.js').CheckKind<any>} kind
 * @param {import('../report.js').Report} report
 */
export function assertAsDescribed(kind, report) {
  for (const metric of report.metrics) {
    if (!kind.metrics.some((info) => describes(info, metric))) {
      throw new Error(`the metric \`${metric.name}\` (\`${metric.unit}\`, ${metric.kind}) is not described`);
    }
  }
  if (report.failure === undefined) {
    if (report.status !== 'ok' && report.status !== 'unknown') throw new Error(`the report is ${report.status} and has no failure kind`);
  } else if (!kind.failures.includes(report.failure)) {
    throw new Error(`the failure \`${report.failure}\` is not described`);
  }
}

/**
 * @param {import('../kind.js').MetricInfo} info
 * @param {import('../report.js').Metric} metric
 */
function describes(info, metric) {
  const fits = info.name.endsWith('*') ? metric.name.startsWith(info.name.slice(0, -1)) : metric.name === info.name;
  return fits && metric.unit === info.unit && metric.kind === info.kind;
}
