"""The one shape of failures."""

import json

import pytest

from instar.base.errors import InstarError
from instar.wire.codes import CODES
from instar.wire.problem import error_body, error_response


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_answer(code: str) -> None:
    response = error_response(InstarError(code, "what failed", retry_after_s=0.2), "r1")
    body = json.loads(response.body)
    assert response.status == CODES[code].status
    assert body["code"] == code
    assert body["hint"]
    assert body["request_id"] == "r1"
    assert body["retryable"] is CODES[code].retryable
    assert ("retry-after", "1") in response.headers
    assert (("www-authenticate", "Bearer") in response.headers) == (code == "unauthorized")


def test_what_is_not_known_is_left_out() -> None:
    body = json.loads(error_body(InstarError("not_found", "no", hint="look"), "r"))
    assert body == {"code": "not_found", "error": "no", "hint": "look", "retryable": False, "request_id": "r"}
    assert json.loads(error_body(InstarError("conflict", "no", detail={"a": 1}), "r"))["detail"] == {"a": 1}


@pytest.mark.parametrize("code", ["internal_error", "no_such_code"])
def test_faults_are_told_in_general_words(code: str) -> None:
    body = error_body(InstarError(code, "/secret/path", detail={"sql": "SELECT"}), "r")
    assert b"secret" not in body
    assert b"SELECT" not in body
    assert json.loads(body)["code"] == "internal_error"
