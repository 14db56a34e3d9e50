"""Who asks, and what they may do.

Rules: a token is found by its SHA-256, so what a comparison takes tells nothing of it; a role grants
capabilities, never a route by name, and each is asked for with the namespace of what it is used on (`Reach`
where that has none): of what is loaded by its id, the namespace that it has. A token has a role in all
namespaces, in single ones, or both, which add up; a list is of those in which one may read, and what is
loaded by its id where one may not is not there. A cookie carries the secret of a
session, HttpOnly and same-site, never a token, and a write made with one needs the session's CSRF token. A
session can do what its token can do now, and ends with it. `agent` tokens open the agents' socket and nothing
else; join tokens redeem themselves and nothing else; one that has expired is no token. A token is good on
every node from the moment that its maker heard of it: whoever brings one that this node does not know is
refused only after it has caught up with the leader, which commits nothing, and never by a cluster that has no
token yet. Wrong ones are limited by address (`api.failures`).
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from api.failures import Failures
from api.ports import NoLeaderError, Scheduler
from api.problems import Problem
from scheduler.store.reads import tokens as token_reads
from scheduler.store.tables import tokens as token_rows
from scheduler.store.tables.tokens import Credential

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="cronclave"'}
COOKIES = {"p": "cronclave_session", "s": "__Host-cronclave_session"}
"""By the first letter of a session's secret, which says whether it was begun over plain http or https: a
neighbouring host can set a cookie for this one, but none that begins with __Host-, and the other name does
not carry a session of https."""
SESSION_BYTES = 32
CACHE_S = 2.0  #: how long a token may still work on a node that did not hear of its end
CACHE_ENTRIES_MAX = 1_000
CATCH_UP_S = 2.0
ASKING_MAX = 256  #: requests at one time that wait to hear whether the cluster knows their token
TOKEN_BYTES_MAX = 512
TOLD_MAX = 5  #: roles of a token that a refusal names

READ, RUN, EDIT, OPERATE, APPROVE = "read", "run", "edit", "operate", "approve"
ADMIN, AGENT, JOIN = "admin", "agent", "join"
ALL = "*"  #: in place of a namespace, where people say in which a role holds

CAPABILITIES: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({READ}),
    "operator": frozenset({READ, RUN, OPERATE}),
    "submitter": frozenset({READ, RUN, EDIT}),
    "approver": frozenset({READ, APPROVE}),
    "admin": frozenset({READ, RUN, EDIT, OPERATE, APPROVE, ADMIN, AGENT}),
    "agent": frozenset({AGENT}),
    "join-agent": frozenset({JOIN}),
    "join-node": frozenset({JOIN}),
    "node": frozenset(),  # the record of a node that joined: its key, which opens nothing here
}


class Reach(enum.Enum):
    """Of which namespace something is that is of none."""

    ANY = "any"  #: it tells nothing of jobs: whoever may somewhere may
    ALL = "all"  #: the cluster itself, or what spans namespaces


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a token."""

    name: str
    role: str  #: in all namespaces; empty: in those of `roles` alone
    token: str  #: what was sent: the token's secret, by cookie the session's
    by_cookie: bool = False
    holder: str = ""  #: the one agent that may use it; empty: any
    pool: str = ""  #: that its agents must belong to; empty: any
    roles: Mapping[str, str] = field(default_factory=dict)  #: by namespace, beside that in all

    def may(self, capability: str, namespace: str | Reach) -> bool:
        if capability in CAPABILITIES.get(self.role, ()):
            return True
        if namespace is Reach.ANY:
            return any(capability in CAPABILITIES[role] for role in self.roles.values())
        role = "" if isinstance(namespace, Reach) else self.roles.get(namespace, "")
        return capability in CAPABILITIES.get(role, ())

    def where(self, capability: str) -> tuple[str, ...] | None:
        """The namespaces in which it may; None: in all."""
        if self.may(capability, Reach.ALL):
            return None
        return tuple(sorted(name for name in self.roles if self.may(capability, name)))

    @property
    def told(self) -> dict[str, str]:
        return told(self.role, self.roles)


def told(role: str, roles: Mapping[str, str]) -> dict[str, str]:
    """The roles of a token as people write them: by namespace, that in all under `*`."""
    return {**({ALL: role} if role else {}), **roles}


def csrf_token(session: str) -> str:
    """It goes with the session's secret and tells nothing of it."""
    return hmac.new(session.encode(), b"cronclave-csrf", hashlib.sha256).hexdigest()


def bearer(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def session_cookie(headers: Mapping[str, str]) -> str | None:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if value and COOKIES.get(value[0]) == name:
            return value
    return None


def new_session(*, is_https: bool) -> str:
    """The secret of a session."""
    return ("s" if is_https else "p") + secrets.token_urlsafe(SESSION_BYTES)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def credentials(principal: Principal) -> dict[str, str]:
    """The headers by which another node knows who asks."""
    if principal.by_cookie:
        return {"Cookie": f"{COOKIES[principal.token[0]]}={principal.token}"}
    return {"Authorization": f"Bearer {principal.token}"}


class UnknownToken(Problem):
    """This node's state does not have it."""

    def __init__(self) -> None:
        super().__init__("unauthorized", "the token is not known", headers=CHALLENGE)


class Access:
    """Finds the principal of a request in the state's tokens, with a small cache in front."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._cache: dict[bytes, _Kept] = {}
        self._asking = 0
        self.failures = Failures(
            "this node does not know the token; after many wrong ones it does not ask the cluster for it"
        )

    async def identify(self, headers: Mapping[str, str], client: str = "") -> Principal:
        """The principal of these headers, sent from the address `client`; raises Problem: unauthorized,
        too-many-failures, or founding and no-leader where this node cannot tell."""
        token = bearer(headers)
        if token is not None:
            return await self.of_token(token, client)
        session = session_cookie(headers)
        if session is None:
            raise unauthorized("no token was sent")
        return await self._found(session, client, self._known_session)

    def is_still(self, principal: Principal) -> bool:
        """Whether what this principal came by is good now, by what this node knows: for replies that last."""
        known = self._known_session if principal.by_cookie else self._known
        try:
            now = known(principal.token)
            return now.told == principal.told
        except Problem:
            return False

    def forget(self, name: str) -> None:
        """A token was withdrawn: what is remembered of it is no longer true."""
        self._cache = {sha256: kept for sha256, kept in self._cache.items() if kept.principal.name != name}

    async def of_token(self, token: str, client: str = "") -> Principal:
        return await self._found(token, client, self._known)

    async def _found(self, secret: str, client: str, known: Callable[[str], Principal]) -> Principal:
        """The holder of a token or session, also of one that this node has not heard of yet."""
        try:
            if len(secret) > TOKEN_BYTES_MAX:
                raise UnknownToken
            try:
                return known(secret)
            except UnknownToken:
                self.failures.look(client, time.monotonic())
                await self._catch_up()
                return known(secret)
        except UnknownToken:
            self.failures.note(client, time.monotonic())
            raise

    def _known_session(self, secret: str) -> Principal:
        """Looked up each time: what was closed is over at once."""
        with self._scheduler.read() as store:
            found = token_reads.session(store, digest(secret))
        if found is None:
            raise UnknownToken
        if found.expires_ms <= self._scheduler.now_ms():
            raise unauthorized("the session is over")
        return self._principal(found.credential, secret, by_cookie=True)

    async def _catch_up(self) -> None:
        """Until this node knows every token that was acknowledged before the call."""
        if self._asking >= ASKING_MAX:
            raise Problem(
                "overloaded",
                f"more than {ASKING_MAX} tokens that this node does not know wait for the cluster's word",
                headers={"Retry-After": "1"},
            )
        self._asking += 1
        try:
            await self._scheduler.catch_up(timeout_s=CATCH_UP_S)
        except NoLeaderError as error:
            detail = f"this node does not know the token, and cannot ask whether the cluster does: {error}"
            raise Problem("no-leader", detail, headers={"Retry-After": "1"}) from error
        finally:
            self._asking -= 1
        with self._scheduler.read() as store:
            if not token_rows.any_token(store):
                raise Problem("founding", "the cluster has no token yet", headers={"Retry-After": "1"})

    def _known(self, token: str) -> Principal:
        sha256 = digest(token)
        now = time.monotonic()
        known = self._cache.get(sha256)
        if known is None or known.until_s < now:
            with self._scheduler.read() as store:
                found = token_rows.by_digest(store, sha256)
            if found is None:
                self._cache.pop(sha256, None)
                raise UnknownToken
            if len(self._cache) >= CACHE_ENTRIES_MAX:
                self._cache.clear()
            principal = self._principal(found, token, by_cookie=False)
            known = self._cache[sha256] = _Kept(now + CACHE_S, found.expires_ms, principal)
        elif known.expires_ms:
            self._need_unexpired(known.expires_ms)
        return known.principal

    def _principal(self, credential: Credential, secret: str, *, by_cookie: bool) -> Principal:
        self._need_unexpired(credential.expires_ms)
        return Principal(
            credential.name, credential.role, secret, by_cookie, credential.holder, credential.pool,
            credential.roles,
        )  # fmt: skip

    def _need_unexpired(self, expires_ms: int) -> None:
        """0: it does not expire."""
        if expires_ms and expires_ms <= self._scheduler.now_ms():
            raise unauthorized("the token has expired")


class _Kept(NamedTuple):
    """What is remembered of a token."""

    until_s: float
    expires_ms: int
    principal: Principal


def unauthorized(detail: str) -> Problem:
    return Problem("unauthorized", detail, headers=CHALLENGE)


def require(principal: Principal, capability: str, namespace: str | Reach) -> None:
    """Raises Problem. The one place where it is decided what a principal may do."""
    if not principal.may(capability, Reach.ANY):
        enough = [role for role, granted in CAPABILITIES.items() if capability in granted]
        raise Problem(
            "forbidden",
            f"token {principal.name!r} has the role {words(principal.told)}",
            hint=f"Use a token with the role {' or '.join(enough)}.",
        )
    if not principal.may(capability, namespace):
        where = "in all namespaces" if isinstance(namespace, Reach) else f"in namespace {namespace[:100]!r}"
        raise Problem(
            "forbidden",
            f"it needs {capability!r} {where}: token {principal.name!r} has the role {words(principal.told)}",
            hint="Name a namespace with ?namespace= in which it may, or use a token that may.",
        )


def words(roles: Mapping[str, str]) -> str:
    """Of a token's roles."""
    told = [f"{role!r}" if name == ALL else f"{role!r} in {name}" for name, role in roles.items()]
    more = f" and {len(told) - TOLD_MAX} more" if len(told) > TOLD_MAX else ""
    return ", ".join(told[:TOLD_MAX]) + more


def check_csrf(principal: Principal, headers: Mapping[str, str]) -> None:
    """A browser sends the cookie by itself, so a write with it must show that our page made it."""
    if principal.by_cookie:
        given = headers.get("x-csrf-token", "")
        if not hmac.compare_digest(given.encode(), csrf_token(principal.token).encode()):
            raise Problem("csrf", "a write by cookie needs the header X-CSRF-Token")
