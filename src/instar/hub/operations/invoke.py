"""Law 1: every operation passes here. Find the object, ask `may`, then let the handler act."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec

from instar.base.buckets import Buckets
from instar.base.errors import InstarError
from instar.hub.act import Act, Binding
from instar.hub.identity.identity import Identity
from instar.hub.identity.principals import Caller
from instar.store.seam import Store
from instar.wire.limits import IDEMPOTENCY_KEY_MAX_CHARS
from instar.wire.operation import Operation, Verb
from instar.wire.table import TABLE

from .recorder import Recorder


class Operations:
    """The operation table with a handler for each row.

    Raises:
        LookupError: At construction, when an operation has no binding or two.
    """

    def __init__(self, store: Store, identity: Identity, bindings: Iterable[Binding]) -> None:
        self._store = store
        self._identity = identity
        self._recorder = Recorder()
        self._requests = Buckets(0, 0)
        self._bindings: dict[str, Binding] = {}
        for binding in bindings:
            if binding.operation.name in self._bindings:
                raise LookupError(f"operation {binding.operation.name} is bound twice")
            self._bindings[binding.operation.name] = binding
        if missing := TABLE.keys() - self._bindings.keys():
            raise LookupError(f"operations without a binding: {', '.join(sorted(missing))}")

    def obey(self, requests_per_s: float) -> None:
        """Do so many operations a second for each principal from now on; 0 is unlimited."""
        self._requests.limit(requests_per_s, requests_per_s)

    async def invoke(
        self,
        caller: Caller,
        operation: Operation[Any, Any],
        params: msgspec.Struct,
        *,
        request_id: str = "",
        idempotency_key: str = "",
        peer: str = "",
        body: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> Any:  # noqa: ANN401 - the operation's own result type
        """Do `operation` for `caller` and return its result.

        Raises:
            InstarError: What the operation's handler raises; `not_found` or `forbidden` when the caller may not;
                `unauthorized` when the caller's grant has ended since it was authenticated, as it may over a socket or
                while a body is read; `rate_limited`, but for health and sign-in without a credential.
        """
        if not self._identity.holds(caller.grant):
            raise InstarError("unauthorized", "the credential was revoked or has expired")
        if len(idempotency_key) > IDEMPOTENCY_KEY_MAX_CHARS:
            raise InstarError(
                "bad_request", f"the idempotency key is longer than {IDEMPOTENCY_KEY_MAX_CHARS} characters"
            )
        if not (caller.is_anonymous and operation.verb is Verb.ENTER):
            self._check_rate(caller, peer)
        binding = self._bindings[operation.name]
        located = binding.locate(caller, params)
        if hasattr(located, "__await__"):
            located = await located
        self._identity.authority.require(caller, operation.verb, operation.object, located)
        act: Act[Any, Any] = Act(
            caller=caller,
            operation=operation,
            params=params,
            object=located,
            store=self._store,
            recorder=self._recorder,
            request_id=request_id,
            idempotency_key=idempotency_key,
            peer=peer,
            body=body,
        )
        answer = await binding.handler(act)
        await act.record(answer)
        return answer

    def _check_rate(self, caller: Caller, peer: str) -> None:
        """Take a request from the caller's bucket; those without a credential have one for each address."""
        who = caller.principal.id
        if wait_s := self._requests.take((who, peer if caller.is_anonymous else "")):
            what = f"{who} may ask {self._requests.rate_per_s:g} times a second"
            raise InstarError("rate_limited", what, retry_after_s=wait_s)
