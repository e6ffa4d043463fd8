"""A mail server that takes mail only encrypted, and only from the one who logs in. What it takes is kept in a Maildir.

Arguments: the port on 127.0.0.1, the Maildir, the files of the certificate and of its key, the user and the password.
"""

import asyncio
import ssl
import sys

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

port, folder, certificate, key, user, password = sys.argv[1:]
LOGIN = LoginPassword(user.encode(), password.encode())


def authenticate(_server, _session, _envelope, _mechanism, login):
    return AuthResult(success=login == LOGIN, handled=False)


async def serve():
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    mailbox = Mailbox(folder)

    def connection():
        return SMTP(
            mailbox,
            hostname="localhost",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
            loop=loop,
        )

    server = await loop.create_server(connection, "127.0.0.1", int(port))
    await server.serve_forever()


asyncio.run(serve())
