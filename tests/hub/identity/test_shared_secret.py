import pytest

from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.shared_secret import SharedSecret

TOKEN, PASSWORD = "t" * 32, "p" * 32


@pytest.mark.parametrize(
    ("policy", "right", "wrong", "kind"),
    [
        (AuthPolicy(), [], ["", TOKEN], "token"),
        (AuthPolicy(token=TOKEN), [TOKEN], ["", PASSWORD, TOKEN[1:], TOKEN + "t", "\ud800"], "token"),
        (AuthPolicy(password=PASSWORD), [PASSWORD], ["", TOKEN], "password"),
        (AuthPolicy(token=TOKEN, password=PASSWORD), [TOKEN, PASSWORD], ["", TOKEN + PASSWORD], "token"),
    ],
)
def test_what_is_right(policy: AuthPolicy, right: list[str], wrong: list[str], kind: str) -> None:
    secret = SharedSecret(policy)
    assert secret.is_set is bool(right)
    assert secret.kind == kind
    assert all(secret.is_right(each) for each in right)
    assert not any(secret.is_right(each) for each in wrong)
    assert TOKEN not in str(vars(secret))
