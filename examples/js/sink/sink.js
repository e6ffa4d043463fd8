// `chat`: posts alerts to a chat as one message for each group, and edits that message when things change.
//
// What it shows: a delivery with its key, a reference that comes back, a secret that the plugin never sees, and which refusals are for good.

import { http, key, need, plugin, sink } from '@sickbay/sdk';

const ALERTS_TOLD_MAX = 10;
/** @type {Record<string, string>} */
const SIGNS = { firing: '🔴', acknowledged: '🟡', resolved: '🟢' };
const MESSAGE = key.object('', { id: key.string() });

export const chat = sink({
  name: 'chat',
  summary: 'Posts alerts to a chat',
  config: {
    url: key.string("Of the channel's messages", { pattern: '^https?://' }),
    token: key.string('Sent as a bearer token; write `{{secret:NAME}}`').optional(),
  },
  example: { url: 'https://chat.example.com/channels/1/messages', token: '{{secret:chat-token}}' },
  needs: [
    need('http', 'posts and edits messages', 'http = ["POST {url}", "PUT {url}/*"]'),
    need('secrets', 'logs in', 'secrets = [{ name = "chat-token", to = ["{url}*"] }]'),
  ],

  deliver({ config, notification }) {
    if (!(notification.phase in SIGNS)) return;
    const headers = {
      'idempotency-key': notification.idempotencyKey,
      ...(config.token === undefined ? {} : { authorization: `Bearer ${config.token}` }),
    };
    const content = { headers, json: { text: text(notification) } };
    const { reference } = notification;
    const answer = reference === undefined ? http.post(config.url, content) : http.put(`${config.url}/${reference}`, content);
    return { reference: answer.expectOk().json(MESSAGE).id };
  },
});

/**
 * One line for each alert.
 * @param {import('@sickbay/sdk').Notification} notification
 */
function text({ alerts, extras }) {
  const lines = alerts.slice(0, ALERTS_TOLD_MAX).map((alert) => `${SIGNS[alert.phase] ?? ''} ${alert.check}: ${alert.summary}`);
  const more = alerts.length - lines.length + Number(extras['more'] ?? 0);
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

export default plugin({
  name: 'chat',
  version: '0.1.0',
  summary: 'Posts alerts to a chat',
  licence: 'Apache-2.0',
  sinks: [chat],
});
