"""How failures of the hub are said in each generation."""

from typing import Any

import pytest
from msgspec import UNSET

from instar.base.errors import InstarError
from instar.wire.codes import CODES
from instar.wire.devices import Facts, PairingReason, PairingRequest, PairingState, Role
from instar.wire.gateway import refusals
from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.errors import error_shape
from instar.wire.gateway.method import Generation
from instar.wire.gateway.scopes import SCOPES, asked, besides, ours, theirs, word_of
from instar.wire.identity import Scope

OPENCLAW = {"INVALID_REQUEST", "NOT_PAIRED", "UNAVAILABLE", "FORBIDDEN"}
MOLTIS = {
    "NOT_LINKED", "NOT_PAIRED", "AGENT_TIMEOUT", "INVALID_REQUEST", "UNAVAILABLE", "UNKNOWN_METHOD", "UNAUTHORIZED",
    "FORBIDDEN", "NOT_FOUND", "CONFLICT", "RATE_LIMITED", "TIMEOUT", "INTERNAL", "PROTOCOL_ERROR", "PAYLOAD_TOO_LARGE",
}  # fmt: skip


def who(generation: Generation, **changes: Any) -> Introduction:
    said: dict[str, Any] = {
        "min_protocol": 4, "max_protocol": 4, "id": "cli", "mode": "cli", "version": "1", "platform": "linux",
        "role": "operator", "asked": (), "scopes": (),
    }  # fmt: skip
    return Introduction(generation=generation, **said | changes)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("generation", list(Generation))
def test_every_code_of_the_hub_has_one_of_the_dialect(generation: Generation, code: str) -> None:
    shape = error_shape(InstarError(code, "why", retry_after_s=1.5, detail={"a": 1}), generation)
    assert shape.code in (MOLTIS if generation is Generation.MOLTIS else OPENCLAW)
    if generation is Generation.V3:
        assert shape.code != "FORBIDDEN"
    assert shape.retry_after_ms == 1_500
    assert (shape.retryable is True) is CODES[code].retryable
    assert isinstance(shape.details, dict)
    assert shape.details["hint"]


def test_a_fault_of_the_hub_tells_nothing_of_it() -> None:
    shape = error_shape(InstarError("internal_error", "secret path /x", detail={"path": "/x"}), Generation.V4)
    assert "secret" not in shape.message


@pytest.mark.parametrize(
    ("generation", "code"),
    [(Generation.V3, "INVALID_REQUEST"), (Generation.V4, "FORBIDDEN"), (Generation.MOLTIS, "UNAUTHORIZED")],
)
def test_a_missing_right_is_said_in_the_words_of_the_row(generation: Generation, code: str) -> None:
    error = InstarError("forbidden", "needs scope devices", detail={"missing": "scope devices"})
    by_row = error_shape(error, generation, "operator.admin")
    assert (by_row.code, by_row.message) == (code, "missing scope: operator.admin")
    assert error_shape(error, generation).message == "missing scope: operator.pairing"
    if generation is not Generation.V4:
        assert by_row.details is UNSET


def test_a_detail_code_of_the_dialect_stands() -> None:
    error = InstarError("not_found", "unknown agent", detail={"code": "UNKNOWN_AGENT_ID", "agentId": "x", "cause": "y"})
    details = error_shape(error, Generation.V4).details
    assert isinstance(details, dict)
    assert (details["code"], details["agentId"]) == ("UNKNOWN_AGENT_ID", "x")
    assert "cause" not in details


def test_scopes_there_and_back() -> None:
    held = {word for word, needed in SCOPES.items() if needed}
    for word in held:
        assert word in theirs(ours([word], "operator"))
    assert theirs(frozenset(Scope)) == [word for word, needed in SCOPES.items() if needed]
    assert theirs(frozenset(Scope) - {Scope.KEYS, Scope.NODE})[2] == "operator.admin"
    assert theirs(frozenset()) == []
    assert theirs(frozenset({Scope.NODE})) == []
    assert ours(["operator.talk", "nonsense"], "operator") == frozenset()
    assert ours(["operator.admin"], "node") == {Scope.NODE}
    assert Scope.NODE not in ours(held, "operator")
    assert asked(["operator.write"], "operator") == {Scope.WRITE, Scope.OBSERVE, Scope.EXECUTE}
    assert "operator.write" in theirs(frozenset({Scope.WRITE, Scope.OBSERVE}))
    assert besides(["operator.read", "operator.approvals"], "operator") == frozenset()
    assert besides(["operator.admin"], "node") == frozenset()
    assert word_of("scope admin") == word_of("a grant as wide as that key") == "operator.admin"
    assert word_of("scope observe or admin") == "operator.read"


REQUEST = PairingRequest(
    "pair_1", "d" * 64, Facts(), Role.OPERATOR, [], PairingState.PENDING, "", "", "", reason=PairingReason.SCOPES
)


def test_pairing_in_each_generation() -> None:
    third = refusals.pairing_required(who(Generation.V3), "d", "scope-upgrade", REQUEST)
    assert (third.error.message, third.error.details) == ("pairing required", {"requestId": "pair_1"})
    assert third.close_reason == "pairing required"
    fourth = refusals.pairing_required(who(Generation.V4), "d", "scope-upgrade", REQUEST)
    assert fourth.close_reason.endswith("(requestId: pair_1)")
    assert refusals.pairing_required(who(Generation.V3), "d", "not-paired", None).error.details is UNSET


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InstarError("device_revoked", "x", detail={"cause": "revoked"}), "FORBIDDEN", "public key has been revoked"),
        (
            InstarError("key_mismatch", "key mismatch: expected a, got b"),
            "FORBIDDEN",
            "key mismatch: expected a, got b",
        ),
        (InstarError("not_paired", "x", detail={"cause": "pairing_closed"}), "FORBIDDEN", "node pairing is disabled"),
        (InstarError("unauthorized", "x", detail={"cause": "token_mismatch"}), "UNAUTHORIZED", "authentication failed"),
        (InstarError("rate_limited", "slow", retry_after_s=2), "RATE_LIMITED", "slow"),
        (InstarError("unauthorized", "x", detail={"cause": "signature_invalid"}), "FORBIDDEN", "challenge-response"),
        (
            InstarError("unauthorized", "x", detail={"cause": "public_key_invalid"}),
            "INVALID_REQUEST",
            "invalid Ed25519",
        ),
        (InstarError("overloaded", "many"), "UNAVAILABLE", "many"),
    ],
)
def test_moltis_refusals(error: InstarError, code: str, text: str) -> None:
    refusal = refusals.refusal_of(error, who(Generation.MOLTIS), is_local=False)
    assert (refusal.error.code, refusal.code) == (code, 1008)
    assert refusal.error.message.startswith(text)


@pytest.mark.parametrize("identity", ["cli", "openclaw-control-ui", "gateway-client"])
@pytest.mark.parametrize("is_local", [True, False])
def test_the_next_step_of_a_wrong_secret(identity: str, is_local: bool) -> None:
    error = InstarError("unauthorized", "x", detail={"cause": "password_missing"})
    told = refusals.refusal_of(error, who(Generation.V4, id=identity), is_local=is_local).error
    assert told.message.startswith("unauthorized: gateway password missing (")
    assert isinstance(told.details, dict)
    assert told.details["code"] == "AUTH_PASSWORD_MISSING"
    other = refusals.refusal_of(InstarError("unauthorized", "x"), who(Generation.V4), is_local=is_local).error
    assert (other.message, other.details["authReason"]) == ("unauthorized", "unauthorized")  # type: ignore[index]
