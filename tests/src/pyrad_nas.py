"""A NAS by pyrad: one Access-Request, described on stdin as JSON; the answer on stdout.

pyrad shares no code with the daemon or with the other clients of these tests, and checks the
answer's authenticator itself.
"""

import hashlib
import io
import json
import sys

import pyrad.packet
from pyrad.client import Client, Timeout
from pyrad.dictionary import Dictionary

DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE User-Password 2 octets encrypt=1
ATTRIBUTE CHAP-Password 3 octets
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE Reply-Message 18 string
ATTRIBUTE Class 25 octets
ATTRIBUTE Calling-Station-Id 31 string
ATTRIBUTE NAS-Identifier 32 string
ATTRIBUTE Proxy-State 33 octets
ATTRIBUTE Acct-Interim-Interval 85 integer
ATTRIBUTE CHAP-Challenge 60 octets
ATTRIBUTE Message-Authenticator 80 octets
ATTRIBUTE NAS-Port-Id 87 string
VENDOR Mikrotik 14988
BEGIN-VENDOR Mikrotik
ATTRIBUTE Mikrotik-Rate-Limit 8 string
END-VENDOR Mikrotik
VENDOR ADSL-Forum 3561
BEGIN-VENDOR ADSL-Forum
ATTRIBUTE ADSL-Agent-Circuit-Id 1 octets
ATTRIBUTE ADSL-Agent-Remote-Id 2 octets
END-VENDOR ADSL-Forum
"""


def main():
    asked = json.load(sys.stdin)
    client = Client(
        server=asked["server"],
        authport=asked["port"],
        secret=asked["secret"].encode(),
        dict=Dictionary(io.StringIO(DICTIONARY)),
        retries=5,
        timeout=2,
    )
    client.bind((asked["source"], 0))
    request = client.CreateAuthPacket(code=pyrad.packet.AccessRequest)
    if "user" in asked:
        request["User-Name"] = asked["user"]
    for name, value in asked.get("octets", {}).items():
        request[name] = bytes.fromhex(value)
    for name, value in asked.get("texts", {}).items():
        request[name] = value
    if asked["method"] == "pap":
        request["User-Password"] = request.PwCrypt(asked["password"])
    elif asked["method"] == "chap":
        identifier, challenge = b"\x16", b"0123456789abcdef"
        digest = hashlib.md5(identifier + asked["password"].encode() + challenge).digest()
        request["CHAP-Challenge"] = challenge
        request["CHAP-Password"] = identifier + digest
    request.add_message_authenticator()
    try:
        answer = client.SendPacket(request)
    except Timeout:
        print(json.dumps({"code": 0, "attributes": {}}))
        return
    shown = {}
    for name in answer.keys():
        values = [v.hex() if isinstance(v, bytes) else str(v) for v in answer[name]]
        shown[str(name)] = values
    print(json.dumps({"code": answer.code, "attributes": shown}))


main()
