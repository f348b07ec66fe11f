"""Grants as they live: made, presented, narrowed, rotated, revoked, expired, and back after a restart."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.attenuation import Wanted
from instar.hub.identity.authentication import Credential
from instar.hub.identity.identity import Identity
from instar.hub.identity.lockout import Lockout
from instar.hub.identity.minting import rotate
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.principals import Caller, Grant
from instar.hub.identity.roots import AGENT_SCOPES, local_root, sponsor
from instar.hub.identity.sign_in import IssuedSession
from instar.hub.identity.tokens import new_token
from instar.store import log
from instar.store.sqlite import SqliteStore
from instar.wire import identity as wire
from instar.wire.events import KEYRING
from instar.wire.identity import PrincipalKind, Scope
from instar.wire.limits import AUTH_FAILURES_MAX, SETUP_CODE_TRIES
from instar.wire.operation import Nothing, Verb
from instar.wire.table import TABLE

WRITE = frozenset({Scope.WRITE})


class NoRecorder:
    async def replay(self, tx: Any, act: Any) -> bytes | None:
        return None

    async def record(self, tx: Any, act: Any, result: bytes) -> None:
        assert not re.search(rb"(ik|is|magt_v1)_[\w-]{43}", result)


async def invoke(identity: Identity, store: SqliteStore, caller: Caller, operation: Any, params: Any = None) -> Any:
    """What `hub.operations` does, without the ledger."""
    binding = next(one for one in identity.bindings() if one.operation is operation)
    params = Nothing() if params is None else params
    found = binding.locate(caller, params)
    found = await found if asyncio.iscoroutine(found) else found
    identity.authority.require(caller, operation.verb, operation.object, found)
    return await binding.handler(Act(caller, operation, params, found, store, NoRecorder()))


@pytest.fixture
async def operator(identity: Identity, tmp_path: Path) -> Caller:
    token = await identity.local_grant(tmp_path / "local-grant")
    return identity.authenticate(Credential(token, is_local=True))


async def mint(identity: Identity, store: SqliteStore, holder: Grant, **wanted: Any) -> tuple[Grant, str]:
    wish = Wanted(**{"kind": "key", "name": "k", "scopes": WRITE, **wanted})
    return await store.transact(lambda tx: identity.mint(tx, holder, wish))


async def revoke(identity: Identity, store: SqliteStore, grant: Grant) -> None:
    await store.transact(lambda tx: identity.revoke(tx, grant.id))


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(InstarError) as caught:
        call()
    return caught.value.code


async def test_a_minted_token_holds_at_once_and_after_a_restart(
    identity: Identity, operator: Caller, store: SqliteStore, make_identity: Callable[..., Identity]
) -> None:
    grant, token = await mint(
        identity, store, operator.grant, agents=frozenset({"beta"}), rooms=frozenset({"r"}), scopes=frozenset(Scope)
    )
    assert token.startswith("ik_")
    assert len(token) == 46
    assert identity.authenticate(Credential(token)).grant == grant
    again = make_identity()
    await again.load()
    assert again.authenticate(Credential(token)).grant == grant
    assert again.holds(grant)


async def test_revocation_ends_the_grant_its_children_and_their_sockets(
    identity: Identity, operator: Caller, store: SqliteStore
) -> None:
    ended: list[str] = []
    identity.on_ended(ended.append)
    parent, parent_token = await mint(identity, store, operator.grant)
    child, child_token = await mint(identity, store, parent)
    grandchild, grandchild_token = await mint(identity, store, child)
    other, other_token = await mint(identity, store, operator.grant)
    await revoke(identity, store, parent)
    await revoke(identity, store, parent)
    assert ended == [parent.id, child.id, grandchild.id]
    for token in (parent_token, child_token, grandchild_token):
        assert code_of(lambda token=token: identity.authenticate(Credential(token))) == "unauthorized"
    assert identity.authenticate(Credential(other_token)).grant == other
    events = await store.read(lambda reader: log.after(reader, 0, 50, rooms=[KEYRING]))
    reasons = [msgspec.json.decode(event.payload).get("reason") for event in events if event.type == "key.revoked"]
    assert reasons == ["revoked", "parent revoked", "parent revoked"]


async def test_a_revoked_holder_mints_no_more(identity: Identity, operator: Caller, store: SqliteStore) -> None:
    parent, _ = await mint(identity, store, operator.grant)
    await revoke(identity, store, parent)
    with pytest.raises(InstarError, match="revoked"):
        await mint(identity, store, parent)


async def test_a_grant_expires_with_its_sockets(
    store: SqliteStore, make_identity: Callable[..., Identity], tmp_path: Path
) -> None:
    clock = [now()]
    identity = make_identity(clock=lambda: clock[0])
    ended: list[str] = []
    identity.on_ended(ended.append)
    soon = Micros(clock[0] + 60 * MICROS_PER_S)
    grant, token = await mint(identity, store, local_root(), expires_at=soon)
    identity.expire_due(Micros(soon - 1))
    assert ended == []
    assert identity.authenticate(Credential(token)).grant == grant
    clock[0] = soon
    assert code_of(lambda: identity.authenticate(Credential(token))) == "unauthorized"
    identity.expire_due()
    identity.expire_due()
    assert ended == [grant.id]
    again = make_identity(clock=lambda: clock[0])
    await again.load()
    assert not again.holds(grant)


async def test_an_agent_token(identity: Identity, operator: Caller, store: SqliteStore) -> None:
    holder, _ = await mint(identity, store, operator.grant, scopes=frozenset({Scope.ATTACH}))
    wanted = Wanted("agent", "Beta", frozenset({Scope.ATTACH}), frozenset({"beta"}))
    lender = sponsor(Caller(holder), "beta", identity.policy)
    grant, token = await store.transact(lambda tx: identity.mint(tx, lender, wanted))
    assert token.startswith("magt_v1_")
    assert len(token) == 51
    assert grant.scopes == {Scope.ATTACH}
    assert (grant.principal.id, grant.principal.kind) == ("beta", PrincipalKind.AGENT)
    await store.transact(lambda tx: identity.revoke_agent_tokens(tx, "beta"))
    assert identity.standing(grant.id) is None
    assert identity.holds(holder)


async def test_what_is_not_there_cannot_be_revoked_or_rotated(identity: Identity, store: SqliteStore) -> None:
    with pytest.raises(InstarError, match="no key key_0"):
        await store.transact(lambda tx: identity.revoke(tx, "key_0"))
    with pytest.raises(InstarError, match="no key key_0"):
        await store.transact(lambda tx: rotate(tx, "key_0", new_token("key")))


# The local grant


async def test_the_local_grant_is_made_once_and_verified(
    identity: Identity, store: SqliteStore, tmp_path: Path, make_identity: Callable[..., Identity]
) -> None:
    path = tmp_path / "local-grant"
    token = await identity.local_grant(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert await identity.local_grant(path) == token
    assert identity.authenticate(Credential(token)).grant == local_root()
    path.write_text("ik_other\n")
    with pytest.raises(InstarError, match="is not this hub's"):
        await identity.local_grant(path)
    path.unlink()
    fresh = await identity.local_grant(path)
    assert fresh != token
    assert code_of(lambda: identity.authenticate(Credential(token))) == "unauthorized"
    assert identity.authenticate(Credential(fresh)).grant == local_root()


async def test_a_local_grant_whose_row_was_not_written_is_taken_up(identity: Identity, tmp_path: Path) -> None:
    path = tmp_path / "local-grant"
    path.touch(0o600)
    path.write_text("ik_left-by-a-crash\n")
    assert await identity.local_grant(path) == "ik_left-by-a-crash"
    assert identity.authenticate(Credential("ik_left-by-a-crash")).has(Scope.KEYS)


# Keys


async def test_keys_create_list_revoke(identity: Identity, operator: Caller, store: SqliteStore) -> None:
    params = wire.CreateKey("ci", [Scope.WRITE, Scope.KEYS], agents=["beta"], rooms=["r"], expires_in_s=60)
    created = await invoke(identity, store, operator, wire.KEYS_CREATE, params)
    caller = identity.authenticate(Credential(created.token))
    assert created.token.startswith(created.key.prefix)
    assert len(created.key.prefix) == 8
    assert (created.key.scopes, created.key.agents, created.key.rooms) == (["keys", "write"], ["beta"], ["r"])
    assert created.key.expires_at
    assert created.key.parent == "local"
    listed = await invoke(identity, store, operator, wire.KEYS_LIST)
    assert {key.id for key in listed.keys} == {"local", created.key.id}
    assert next(key for key in listed.keys if key.id == created.key.id).last_used_at
    assert [key.id for key in (await invoke(identity, store, caller, wire.KEYS_LIST)).keys] == [created.key.id]
    with pytest.raises(InstarError, match="needs scope admin"):
        await invoke(identity, store, caller, wire.KEYS_CREATE, wire.CreateKey("x", [Scope.ADMIN]))
    for operation in (wire.KEYS_REVOKE, wire.KEYS_ROTATE):
        with pytest.raises(InstarError, match="there is no"):
            await invoke(identity, store, caller, operation, wire.KeyRef("local"))
        with pytest.raises(InstarError, match="there is no"):
            await invoke(identity, store, caller, operation, wire.KeyRef("missing"))
        with pytest.raises(InstarError, match="root"):
            await invoke(identity, store, operator, operation, wire.KeyRef("local"))
    revoked = await invoke(identity, store, operator, wire.KEYS_REVOKE, wire.KeyRef(created.key.id))
    assert revoked.revoked_at
    assert code_of(lambda: identity.authenticate(Credential(created.token))) == "unauthorized"
    with pytest.raises(InstarError, match="has ended"):
        await invoke(identity, store, operator, wire.KEYS_ROTATE, wire.KeyRef(created.key.id))


async def test_rotation_ends_the_old_token_and_keeps_the_children(
    identity: Identity, operator: Caller, store: SqliteStore
) -> None:
    ended: list[str] = []
    identity.on_ended(ended.append)
    grant, token = await mint(identity, store, operator.grant)
    _, child_token = await mint(identity, store, grant)
    fresh = await invoke(identity, store, operator, wire.KEYS_ROTATE, wire.KeyRef(grant.id))
    assert ended == [grant.id]
    assert code_of(lambda: identity.authenticate(Credential(token))) == "unauthorized"
    assert identity.authenticate(Credential(fresh.token)).grant == grant
    assert identity.authenticate(Credential(child_token))


async def test_nobody_takes_over_a_key_that_outlives_their_own(
    identity: Identity, operator: Caller, store: SqliteStore
) -> None:
    lasting, _ = await mint(identity, store, operator.grant)
    scopes = frozenset({Scope.KEYS, Scope.WRITE})
    brief, _ = await mint(identity, store, operator.grant, scopes=scopes, expires_at=Micros(now() + 10**9))
    with pytest.raises(InstarError, match="lasts as long"):
        await invoke(identity, store, Caller(brief), wire.KEYS_ROTATE, wire.KeyRef(lasting.id))


async def test_when_a_key_was_last_used_is_written_later(
    identity: Identity, operator: Caller, store: SqliteStore
) -> None:
    await identity.flush()
    await identity.flush()
    row = await store.read(lambda reader: reader.row("SELECT last_used_at FROM grants WHERE id = ?1", "local"))
    assert row is not None
    assert row[0]


# Signing in


async def test_a_console_link_signs_in_once(identity: Identity, operator: Caller, store: SqliteStore) -> None:
    link = await invoke(identity, store, operator, wire.CONSOLE_LINK)
    base, _, code = link.url.partition("#code=")
    assert base == "http://127.0.0.1:8787/console/"
    session = await invoke(identity, store, identity.visitor(), wire.EXCHANGE, wire.ExchangeCode(code))
    assert isinstance(session, IssuedSession)
    assert session.token.startswith("is_")
    assert session.token.encode() not in msgspec.json.encode(session)
    assert session.token not in repr(session)
    caller = identity.authenticate(Credential(session.token))
    assert caller.principal == operator.principal
    assert caller.grant.scopes == operator.grant.scopes
    with pytest.raises(InstarError) as caught:
        await invoke(identity, store, identity.visitor(), wire.EXCHANGE, wire.ExchangeCode(code))
    assert caught.value.code == "unauthorized"
    await invoke(identity, store, caller, wire.LOGOUT)
    assert code_of(lambda: identity.authenticate(Credential(session.token))) == "unauthorized"
    with pytest.raises(InstarError, match="no session"):
        await invoke(identity, store, operator, wire.LOGOUT)


async def sign_in(identity: Identity, store: SqliteStore) -> Caller:
    code = await identity.console_code(local_root())
    session = await invoke(identity, store, identity.visitor(), wire.EXCHANGE, wire.ExchangeCode(code.text))
    return identity.authenticate(Credential(session.token))


async def test_what_a_session_makes_outlives_it(identity: Identity, operator: Caller, store: SqliteStore) -> None:
    first = await sign_in(identity, store)
    key = await invoke(identity, store, first, wire.KEYS_CREATE, wire.CreateKey("k", [Scope.WRITE]))
    link = await invoke(identity, store, first, wire.CONSOLE_LINK)
    await invoke(identity, store, first, wire.KEYS_ROTATE, wire.KeyRef(key.key.id))
    wanted = Wanted("agent", "", AGENT_SCOPES, frozenset({"beta"}))
    token, _ = await store.transact(lambda tx: identity.mint(tx, sponsor(first, "beta", identity.policy), wanted))
    await invoke(identity, store, first, wire.LOGOUT)
    assert identity.standing(token.id)
    assert (token.parent, token.expires_at) == ("local", None)
    assert key.key.expires_at == ""
    assert identity.standing(key.key.id)
    code = link.url.partition("#code=")[2]
    assert await invoke(identity, store, identity.visitor(), wire.EXCHANGE, wire.ExchangeCode(code))


async def test_of_ten_exchanges_of_one_code_exactly_one_wins(
    identity: Identity, operator: Caller, store: SqliteStore
) -> None:
    code = await identity.console_code(operator.grant)
    params = wire.ExchangeCode(code.text)
    tries = [invoke(identity, store, identity.visitor(), wire.EXCHANGE, params) for _ in range(10)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, IssuedSession) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InstarError) for outcome in outcomes) == 9


async def test_setup_codes_bear_few_wrong_tries(identity: Identity, operator: Caller, store: SqliteStore) -> None:
    async def attempt(text: str) -> bool:
        try:
            await invoke(identity, store, identity.visitor(), wire.EXCHANGE, wire.ExchangeCode(text))
        except InstarError:
            return False
        return True

    old = await identity.setup_code()
    code = await identity.setup_code()
    assert not await attempt(old.text)
    for _ in range(SETUP_CODE_TRIES - 2):
        assert not await attempt("AAAAA-AAAAA")
    assert not await attempt("il_a-wrong-link-does-not-count")
    assert await attempt(code.text.lower().replace("-", " "))
    code = await identity.setup_code()
    for _ in range(SETUP_CODE_TRIES):
        assert not await attempt("AAAAA-AAAAA")
    assert not await attempt(code.text)


async def test_codes_die_with_their_time_and_their_grant(
    identity: Identity, operator: Caller, store: SqliteStore
) -> None:
    parent, _ = await mint(identity, store, operator.grant)
    code = await identity.console_code(parent)
    await revoke(identity, store, parent)
    late = await identity.console_code(operator.grant)
    await store.transact(lambda tx: tx.execute("UPDATE codes SET expires_at = 1 WHERE grant_id = ?1", "local"))
    for text in (code.text, late.text):
        with pytest.raises(InstarError, match="wrong, was used or has expired"):
            await invoke(identity, store, identity.visitor(), wire.EXCHANGE, wire.ExchangeCode(text))


async def test_whoami(identity: Identity, operator: Caller, store: SqliteStore) -> None:
    grant, _ = await mint(identity, store, operator.grant, agents=frozenset({"b"}), expires_at=Micros(now() + 10**9))
    identity.speakers.claim("a", grant.id)
    me = await invoke(identity, store, Caller(grant), wire.WHOAMI)
    assert (me.principal.id, me.scopes, me.agents, me.mode) == (grant.id, ["write"], ["a", "b"], "bearer")
    assert me.expires_at
    assert (await invoke(identity, store, operator, wire.WHOAMI)).agents is None


# Authentication


LOCAL, FAR = {"is_local": True, "peer": "127.0.0.1"}, {"peer": "198.51.100.7"}


@pytest.mark.parametrize(
    ("policy", "where", "scopes"),
    [
        ({}, LOCAL, None),
        ({}, FAR, None),
        ({"public_read": True}, FAR, 0),
        ({"agent_registration": "open"}, FAR, 0),
        ({"agent_registration": "token"}, FAR, None),
        ({"mode": "open"}, FAR, 0),
        ({"mode": "none"}, LOCAL, 4),
        ({"mode": "none"}, FAR, None),
    ],
)
async def test_without_a_credential(
    make_identity: Callable[..., Identity], policy: dict[str, Any], where: dict[str, Any], scopes: int | None
) -> None:
    identity = make_identity(policy=AuthPolicy(**policy))
    if scopes is None:
        assert code_of(lambda: identity.authenticate(Credential(**where))) == "unauthorized"
    else:
        caller = identity.authenticate(Credential(**where))
        assert caller.is_anonymous
        assert len(caller.grant.scopes) == scopes
    assert code_of(lambda: identity.authenticate(Credential("wrong", **where))) == "unauthorized"


async def test_brute_force_locks_the_address(make_identity: Callable[..., Identity], store: SqliteStore) -> None:
    at = [0.0]
    identity = make_identity(lockout=Lockout(lambda: at[0]))
    _, token = await mint(identity, store, local_root())
    for where in (FAR, {"peer": "127.0.0.1", "has_origin": True}):
        for _ in range(AUTH_FAILURES_MAX):
            assert code_of(lambda where=where: identity.authenticate(Credential("wrong", **where))) == "unauthorized"
        with pytest.raises(InstarError) as caught:
            identity.authenticate(Credential(token, **where))
        assert caught.value.code == "rate_limited"
        assert caught.value.retry_after_s == 300.0
    assert identity.authenticate(Credential(token, **LOCAL))
    at[0] = 300.0
    assert identity.authenticate(Credential(token, **FAR))
    for _ in range(AUTH_FAILURES_MAX * 2):
        assert code_of(lambda: identity.authenticate(Credential("wrong", **LOCAL))) == "unauthorized"


CREDENTIALS = ["none", "empty", "wrong", "expired", "revoked", "wrong type", "narrow", "right"]


def outcome(matrix: dict[str, Any], name: str, credential: str) -> str:
    """What a credential meets at an operation: the code of the refusal, or nothing."""
    operation, identity = TABLE[name], matrix["identity"]
    try:
        caller = identity.authenticate(Credential(matrix[credential], peer="203.0.113.1", is_local=True))
        identity.authority.require(caller, operation.verb, operation.object)
    except InstarError as error:
        return error.code
    return ""


@pytest.mark.parametrize("credential", CREDENTIALS)
async def test_matrix_of_operations_and_credentials(matrix: dict[str, Any], credential: str) -> None:
    expected = {"right": "", "narrow": "forbidden"}.get(credential, "unauthorized")
    for name, operation in TABLE.items():
        needs_no_right = operation.verb is Verb.ENTER and credential == "narrow"
        assert outcome(matrix, name, credential) == ("" if needs_no_right else expected), name


@pytest.fixture
async def matrix(identity: Identity, operator: Caller, store: SqliteStore) -> dict[str, Any]:
    """A token of every sort; `narrow` is valid and holds no scope."""
    revoked, revoked_token = await mint(identity, store, operator.grant)
    await revoke(identity, store, revoked)
    _, expired = await mint(identity, store, operator.grant, expires_at=Micros(1))
    _, narrow = await mint(identity, store, operator.grant, scopes=frozenset())
    _, right = await mint(identity, store, operator.grant, scopes=frozenset(Scope))
    code = await identity.setup_code()
    return {
        "identity": identity,
        "none": "",
        "empty": "",
        "wrong": right[:-1],
        "expired": expired,
        "revoked": revoked_token,
        "wrong type": code.text,
        "narrow": narrow,
        "right": right,
    }
