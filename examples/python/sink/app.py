"""`chat`: posts alerts to a chat as one message for each group, and edits that message when things change.

What it shows: a delivery with its key, a reference that comes back, a secret that the plugin never sees, and which refusals are for good.
"""

from dataclasses import dataclass
from typing import Annotated

from sickbay import Key, Need, Notification, Phase, Receipt, SinkRequest, http, sink, sink_plugin

ALERTS_TOLD_MAX = 10
SIGNS = {Phase.FIRING: "\N{LARGE RED CIRCLE}", Phase.ACKNOWLEDGED: "\N{LARGE YELLOW CIRCLE}", Phase.RESOLVED: "\N{LARGE GREEN CIRCLE}"}


@dataclass
class Config:
    url: Annotated[str, Key("Of the channel's messages", pattern="^https?://")]
    token: Annotated[str, Key("Sent as a bearer token; write `{{secret:NAME}}`")] = ""


@dataclass
class Message:
    id: str


@sink(
    "chat",
    summary="Posts alerts to a chat",
    example={"url": "https://chat.example.com/channels/1/messages", "token": "{{secret:chat-token}}"},
    needs=[
        Need("http", "posts and edits messages", 'http = ["POST {url}", "PUT {url}/*"]'),
        Need("secrets", "logs in", 'secrets = [{ name = "chat-token", to = ["{url}*"] }]'),
    ],
)
def chat(request: SinkRequest[Config]) -> Receipt | None:
    config, notification = request.config, request.notification
    if notification.phase not in SIGNS:
        return None
    headers = {"idempotency-key": notification.idempotency_key}
    if config.token:
        headers["authorization"] = f"Bearer {config.token}"
    body = {"text": text(notification)}
    if notification.reference is None:
        answer = http.post(config.url, json=body, headers=headers)
    else:
        answer = http.request("PUT", f"{config.url}/{notification.reference}", json=body, headers=headers)
    return Receipt(answer.raise_for_status().json(Message).id)


def text(notification: Notification) -> str:
    """One line for each alert."""
    lines = [f"{SIGNS.get(alert.phase, '')} {alert.check}: {alert.summary}" for alert in notification.alerts[:ALERTS_TOLD_MAX]]
    more = len(notification.alerts) - len(lines) + int(notification.extras.get("more", 0))
    return "\n".join([*lines, f"and {more} more"] if more else lines)


Plugin, Sink = sink_plugin("chat", version="0.1.0", summary="Posts alerts to a chat", sinks=[chat], licence="Apache-2.0")
