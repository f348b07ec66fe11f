"""What a command works with: the hub, the person at the terminal, and the environment."""

import sys
from collections.abc import Callable, Mapping
from functools import cached_property

import click

from instar.client.access import Access, find, trust_of
from instar.client.errors import HubError
from instar.client.folders import data_dir
from instar.client.http import TIMEOUT_S, Client, JsonObject
from instar.client.pins import pin_of
from instar.client.trust import Trust

from .outputs import Output
from .texts import nearest

SUGGEST_WAIT_S = 1.0
"""How long a failed command may take to look for what was meant."""
_LISTS = {"room": ("rooms.list", "rooms"), "agent": ("agents.list", "agents")}


class Session:
    """One run of one command.

    Args:
        output: Where results go.
        environ: Environment variables.
        url: Address of the hub; empty finds it.
        token_file: File with the token; empty finds one.
        timeout_s: How long to wait for an answer.
        may_ask: Whether prompts are allowed.
    """

    def __init__(
        self,
        output: Output,
        environ: Mapping[str, str],
        *,
        url: str = "",
        token_file: str = "",
        timeout_s: float = TIMEOUT_S,
        may_ask: bool = True,
    ) -> None:
        self.output = output
        self.environ = environ
        self.timeout_s = timeout_s
        self._url = url
        self._token_file = token_file
        self.may_ask = may_ask and sys.stdin.isatty() and sys.stderr.isatty()
        """Whether there is a person who can be asked."""
        self._sought: list[tuple[str, str]] = []

    def at(self, url: str) -> "Session":
        """Return a session like this one with the hub at `url`; an empty one is this session's own."""
        if not url:
            return self
        other = Session(
            self.output, self.environ, url=url, token_file=self._token_file, timeout_s=self.timeout_s
        )  # fmt: skip
        other.may_ask = self.may_ask
        return other

    @cached_property
    def access(self) -> Access:
        """The hub's address and the token for it."""
        return find(self.environ, url=self._url, token_file=self._token_file)

    @cached_property
    def client(self) -> Client:
        """The hub."""
        return self.client_within(self.timeout_s)

    @cached_property
    def trust(self) -> Trust:
        """What makes the hub's certificate good."""
        return trust_of(self.environ, self.access.url)

    @cached_property
    def credential(self) -> tuple[str, Callable[[], str] | None]:
        """The token to present, and how to get another one when it has ended: by this machine's key, if it is paired.

        Raises:
            HubError: The hub takes this machine's key no more, or is another one.
        """
        url, token, _ = self.access
        if token or (pin := pin_of(self.environ, url)) is None:
            return token, None
        from instar.client.device import Membership  # noqa: PLC0415 - only for a paired machine without a token

        stranger = Client(url, timeout_s=self.timeout_s, trust=self.trust)
        membership = Membership(self.environ, stranger, pin)
        return membership.token(), membership.renew

    def client_within(self, timeout_s: float) -> Client:
        """Return a client of the hub that waits `timeout_s` for each answer."""
        token, renew = self.credential
        return Client(self.access.url, token, timeout_s=timeout_s, trust=self.trust, renew=renew)

    @property
    def data_dir(self) -> str:
        """The data directory that environment and platform name."""
        return str(data_dir(self.environ))

    def invoke(self, operation: str, **params: object) -> JsonObject:
        """Ask the hub for an operation; empty strings and None are left out.

        Raises:
            HubError: The hub's answer, or that there is none.
        """
        return self.client.invoke(operation, {name: value for name, value in params.items() if value not in ("", None)})

    def seek(self, kind: str, name: str) -> str:
        """Remember that the command is about this room or agent, to suggest a near one; return the name."""
        self._sought.append((kind, name))
        return name

    def confirm(self, question: str, *, yes: bool) -> None:
        """Go on only with consent.

        Raises:
            HubError: `usage` where nobody can be asked, `interrupted` when the person says no.
        """
        if yes:
            return
        if not self.may_ask:
            raise HubError("usage", "this needs a confirmation, and nobody can be asked", hint="Add --yes.")
        if not click.confirm(question, err=True):
            raise HubError("interrupted", "it was not confirmed", hint="Nothing was changed.")

    def secret(self, prompt: str, *, is_new: bool = False) -> str:
        """Return what a person types unseen (twice for a new one), or the next line of standard input.

        Raises:
            HubError: `usage` when neither gives anything.
        """
        if self.may_ask:
            return click.prompt(prompt, hide_input=True, confirmation_prompt=is_new, err=True)
        text = "" if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        if not text:
            raise HubError(
                "usage", f"nothing was given as: {prompt}", hint="Type it at a terminal, or pass it by standard input."
            )
        return text

    def meant(self, error: HubError) -> HubError:
        """Return the error with a near name as its next step, when something was not found."""
        if error.code != "not_found":
            return error
        for kind, name in self._sought:
            known = self._names(kind)
            if name not in known and (near := nearest(name, known)):
                listed = " or ".join(near)
                return HubError(error.code, error.message, hint=f"Did you mean {listed}?", retryable=False)
        return error

    def _names(self, kind: str) -> list[str]:
        operation, member = _LISTS[kind]
        try:
            found = self.client_within(SUGGEST_WAIT_S).invoke(operation, {"limit": 500})
        except HubError:
            return []
        return [str(item["id"]) for item in found[member]]
