"""A mail server for tests: takes letters and writes each as a line of JSON.

sink.py [CERTIFICATE KEY]: with a certificate it offers STARTTLS, and takes letters of the user
office with the password s3cret alone. The first line is the port. later@ is told 451 once, never@
is told 550. It ends when its input does.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Sink:
    postponed = False

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "never":
            return "550 5.1.1 no such user"
        if name == "later" and not self.postponed:
            self.postponed = True
            return "451 4.7.1 come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        letter = {
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "signed_in": session.authenticated is True,
            "text": envelope.content.decode(),
        }
        print(json.dumps(letter), flush=True)
        return "250 taken"


def known(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"office", b"s3cret"))


async def main():
    sink, options = Sink(), {}
    if len(sys.argv) == 3:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        options = {
            "tls_context": context,
            "require_starttls": True,
            "authenticator": known,
            "auth_required": True,
        }
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink, **options), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
