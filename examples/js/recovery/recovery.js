// `restart`: restarts a service through its orchestrator's HTTP interface.
//
// What it shows: a plan that only reads, a step with a key so that nothing is done twice, and a step that goes on after `act` has returned.

import { done, failed, http, key, need, plugin, recovery, running } from '@sickbay/sdk';

const SERVICE = key.object('', { state: key.string(), replicas: key.integer() });
const RESTART = key.object('', { id: key.string(), state: key.string(), reason: key.string().default('') });

const CONFIG = {
  url: key.string('Of the orchestrator, without a slash at the end', { pattern: '^https?://.*[^/]$' }),
  service: key.string('What is restarted', { pattern: '^[a-z0-9-]+$' }),
  again_after_seconds: key.number('How often to ask whether it is up', { minimum: 1, maximum: 3600 }).default(5),
};

/** @typedef {import('@sickbay/sdk').Values<typeof CONFIG>} Config */

export const restart = recovery({
  name: 'restart',
  summary: 'Restarts a service through its orchestrator',
  config: CONFIG,
  example: { url: 'https://orchestrator.example.com', service: 'api' },
  needs: [
    need('http', 'reads services and restarts', 'http = ["GET {url}/*"]'),
    need('http', 'restarts the service', 'http = ["POST {url}/services/{service}/restarts"]'),
  ],
  failures: ['connection', 'refused', 'timeout', 'unavailable'],

  plan({ config }) {
    const service = http.get(`${config.url}/services/${config.service}`).expectOk().json(SERVICE);
    if (service.state === 'restarting') return [];
    const title = `Restart ${config.service} (${service.replicas} replicas)`;
    return [{ id: `restart-${config.service}`, title, target: config.service, parameters: { replicas: service.replicas } }];
  },

  act({ config, idempotencyKey }, action) {
    const url = `${config.url}/services/${config.service}/restarts`;
    const answer = http.post(url, { json: action.parameters, headers: { 'idempotency-key': idempotencyKey } });
    return progress(config, answer.expectOk().json(RESTART));
  },

  follow({ config }, _action, token) {
    const answer = http.get(`${config.url}/services/${config.service}/restarts/${token.id}`);
    return progress(config, answer.expectOk().json(RESTART));
  },
});

/**
 * @param {Config} config
 * @param {{ id: string, state: string, reason: string }} told
 */
function progress(config, told) {
  const actions = [`restart ${told.id}`];
  switch (told.state) {
    case 'running':
      return running({ id: told.id }, `${config.service} is restarting`, { againAfterMs: config.again_after_seconds * 1000 });
    case 'done':
      return done(`${config.service} was restarted`, { actions });
    default:
      return failed(`the restart is ${told.state}: ${told.reason}`, { actions, recommendation: `look at the log of ${config.service}` });
  }
}

export default plugin({
  name: 'restart',
  version: '0.1.0',
  summary: 'Restarts a service through its orchestrator',
  licence: 'Apache-2.0',
  recoveries: [restart],
});
