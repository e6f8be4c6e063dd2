# SPDX-License-Identifier: BSD-3-Clause
"""TURN credentials for the page, minted one by one and short-lived.

RelayMint asks the relay itself through its operator socket (`relayctl credential mint`), so this
program holds no secret. SecretMint makes the same kind of credential from a shared REST secret,
for a relay that is somewhere else. Both return one entry of a browser's `iceServers`.
"""
import asyncio
import base64
import hashlib
import hmac
import json
import re

from .messages import Refusal

MINT_SECONDS_MAX = 5.0
ANSWER_OCTETS_MAX = 16384
REASON_CHARS_MAX = 500
URIS_MAX = 8
_URI = re.compile(r"turns?:[^\s?@/]+(\?transport=(udp|tcp))?", re.ASCII)


def is_turn_uri(uri):
    """RFC 7065's form, as browsers take it: no user part, no path."""
    return isinstance(uri, str) and len(uri) <= 256 and _URI.fullmatch(uri) is not None


def rest_credential(secret, user, expires):
    """(username, password) of the REST scheme: the name carries the expiry in wall-clock seconds,
    the password is the base64 HMAC-SHA1 of the name. `secret` is octets."""
    username = f"{expires}:{user}"
    mac = hmac.new(secret, username.encode("utf-8"), hashlib.sha1).digest()
    return username, base64.b64encode(mac).decode("ascii")


class SecretMint:
    """From a secret read once at start."""

    def __init__(self, secret, uris, wall_clock):
        self._secret = secret
        self._uris = list(uris)
        self._wall_clock = wall_clock

    async def mint(self, user, ttl_s):
        username, password = rest_credential(self._secret, user, int(self._wall_clock()) + ttl_s)
        return {"urls": self._uris, "username": username, "credential": password}


class RelayMint:
    """From the running relay. `command` is relayctl with the socket, as a list of arguments."""

    def __init__(self, command, uris, log):
        self._command = list(command)
        self._uris = list(uris)
        self._log = log

    async def mint(self, user, ttl_s):
        answer = await self._ask("credential", "mint", "--user", user, "--ttl", str(ttl_s), "-j")
        try:
            fields = json.loads(answer)
            username, password = fields["username"], fields["password"]
            uris = self._uris or fields["uris"]
        except (ValueError, KeyError, TypeError):
            raise self._refuse("its answer is not the JSON of a credential") from None
        if not (isinstance(username, str) and isinstance(password, str) and isinstance(uris, list)):
            raise self._refuse("its answer is not the JSON of a credential")
        if not uris or not all(is_turn_uri(uri) for uri in uris):
            raise self._refuse("it named no usable turn: URI; give --turn-uri")
        # A browser tries them all: the first ones are enough.
        return {"urls": uris[:URIS_MAX], "username": username, "credential": password}

    async def _ask(self, *words):
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, *words, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        except OSError as error:
            raise self._refuse(f"{self._command[0]}: {error.strerror}") from None
        try:
            out, err = await asyncio.wait_for(process.communicate(), MINT_SECONDS_MAX)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            raise self._refuse(f"no answer within {MINT_SECONDS_MAX:.0f} s") from None
        if process.returncode != 0:
            lines = err.decode("utf-8", "replace")[:REASON_CHARS_MAX].splitlines()
            said = "; ".join(line.strip() for line in lines)
            raise self._refuse(said or f"exit status {process.returncode}")
        return out[:ANSWER_OCTETS_MAX]

    def _refuse(self, reason):
        self._log.error("mint_failed", reason=reason)
        return Refusal("no-credential",
                       "The relay gave no credential. Whoever runs it finds the reason in the "
                       "log of this server.")
