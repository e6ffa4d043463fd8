"""`bench-python`: reads its configuration and reports one metric."""

from dataclasses import dataclass
from typing import Annotated

from sickbay import Key, Report, Request, check, check_plugin, gauge


@dataclass
class Config:
    waiting: Annotated[float, Key("How many wait", minimum=0)]
    limit: Annotated[float, Key("How many may wait", minimum=0)]


@check(
    "backlog",
    summary="How many jobs wait",
    example={"waiting": 7, "limit": 10},
    metrics=[gauge("waiting", "jobs that wait")],
)
def backlog(request: Request[Config]) -> Report:
    config = request.config
    return Report.ok(f"{config.waiting:g} of at most {config.limit:g} jobs wait").add_metric("waiting", config.waiting)


Plugin, Check = check_plugin("bench-python", version="0.1.0", summary="What a run costs of a plugin in Python", checks=[backlog])
