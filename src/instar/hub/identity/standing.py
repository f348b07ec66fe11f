"""Acting by a right while nobody is connected: what a schedule does when it is due."""

from instar.base.clock import Micros

from .keyring import Keyring
from .policy import AuthPolicy
from .principals import Caller
from .roots import ANONYMOUS_GRANT_ID, SHARED_GRANT_ID, anonymous_here, shared_root


def lasting_grant(caller: Caller) -> str:
    """Return the id of the grant that the caller's right comes of: for a session, which ends soon, its lender's."""
    return caller.grant.parent if caller.grant.kind == "session" else caller.grant.id


def standing(keyring: Keyring, policy: AuthPolicy, grant_id: str, at: Micros) -> Caller | None:
    """Return the caller that a grant makes, if the grant still holds.

    The rights that are no grant of the keyring hold as long as the operator's policy gives them.
    """
    if grant_id == ANONYMOUS_GRANT_ID:
        return Caller(anonymous_here(), is_local=True) if policy.mode == "none" else None
    if grant_id == SHARED_GRANT_ID:
        return Caller(shared_root()) if policy.has_shared_secret else None
    grant = keyring.get(grant_id)
    return None if grant is None or grant.has_ended(at) else Caller(grant)
