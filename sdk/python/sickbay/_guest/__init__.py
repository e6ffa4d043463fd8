"""The other side of the SDK: its types and those that componentize-py generates from the contract.

Imported only while a component is built, when its objects are made. From then on the host answers every call, and the root logger hands
every record to it.

Invariant: nothing else imports the generated bindings. A component's world may leave interfaces out: a call of one that is missing is a
`ConfigurationError`.
"""

import logging

from .. import _host
from ..log import install
from .host import GuestHost

# Set at build time, before the snapshot that every run begins with is taken.
_host.answering = GuestHost()
install()
# There is one thread of one process, and the host adds whose line it is.
for question in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
    setattr(logging, question, False)
