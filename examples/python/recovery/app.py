"""`restart`: restarts a service through its orchestrator's HTTP interface.

What it shows: a plan that only reads, a step with a key so that nothing is done twice, and a step that goes on after `act` has returned.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from sickbay import Action, Key, Need, Outcome, Progress, RecoveryRequest, Running, http, recovery, recovery_plugin


@dataclass
class Config:
    url: Annotated[str, Key("Of the orchestrator, without a slash at the end", pattern="^https?://.*[^/]$")]
    service: Annotated[str, Key("What is restarted", pattern="^[a-z0-9-]+$")]
    again_after_seconds: Annotated[float, Key("How often to ask whether it is up", minimum=1, maximum=3600)] = 5


@dataclass
class Service:
    state: str
    replicas: int


@dataclass
class Restart:
    id: str
    state: str
    reason: str = ""


@recovery(
    "restart",
    summary="Restarts a service through its orchestrator",
    example={"url": "https://orchestrator.example.com", "service": "api"},
    needs=[
        Need("http", "reads services and restarts", 'http = ["GET {url}/*"]'),
        Need("http", "restarts the service", 'http = ["POST {url}/services/{service}/restarts"]'),
    ],
    failures=["connection", "refused", "timeout", "unavailable"],
)
def restart(request: RecoveryRequest[Config]) -> list[Action]:
    config = request.config
    service = http.get(f"{config.url}/services/{config.service}").raise_for_status().json(Service)
    if service.state == "restarting":
        return []
    title = f"Restart {config.service} ({service.replicas} replicas)"
    return [Action(f"restart-{config.service}", title, config.service, parameters={"replicas": service.replicas})]


@restart.act
def act(request: RecoveryRequest[Config], action: Action) -> Progress:
    config = request.config
    url = f"{config.url}/services/{config.service}/restarts"
    answer = http.post(url, json=action.parameters, headers={"idempotency-key": request.idempotency_key})
    return progress(config, answer.raise_for_status().json(Restart))


@restart.follow
def follow(request: RecoveryRequest[Config], action: Action, token: Any) -> Progress:
    config = request.config
    answer = http.get(f"{config.url}/services/{config.service}/restarts/{token['id']}")
    return progress(config, answer.raise_for_status().json(Restart))


def progress(config: Config, told: Restart) -> Progress:
    if told.state == "running":
        return Running({"id": told.id}, f"{config.service} is restarting", config.again_after_seconds)
    if told.state == "done":
        return Outcome(True, f"{config.service} was restarted", actions=[f"restart {told.id}"])
    recommendation = f"look at the log of {config.service}"
    return Outcome(False, f"the restart is {told.state}: {told.reason}", actions=[f"restart {told.id}"], recommendation=recommendation)


Plugin, Recovery = recovery_plugin(
    "restart", version="0.1.0", summary="Restarts a service through its orchestrator", recoveries=[restart], licence="Apache-2.0"
)
