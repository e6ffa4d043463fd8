"""The conformance plugin in Python. `tests/conformance/README.md` says what each kind does and how it tells what it saw."""

import databases
import machine
import network
import own

from sickbay import check_plugin

Plugin, Check = check_plugin(
    "conformance-python",
    version="0.1.0",
    summary="What every language must do alike",
    checks=[*own.KINDS, network.ask_http, *databases.KINDS, network.connect, network.resolve, *machine.KINDS],
    licence="Apache-2.0",
)
