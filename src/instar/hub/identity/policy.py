"""What the operator decided about access (Moltnet http.v1 §5.1)."""

from typing import Literal

from msgspec import Struct

Mode = Literal["bearer", "none", "open"]
Registration = Literal["disabled", "token", "open"]


class AuthPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The switches of `auth.*`."""

    mode: Mode = "bearer"
    """`bearer`: every request needs a credential. `none`: who connects from this machine needs none to read, send,
    attach and administer rooms and agents. `open`: anybody may read public rooms and claim an unused agent id."""
    public_read: bool = False
    """Whether anybody may read public rooms without a credential."""
    agent_registration: Registration = "disabled"
    """Who may claim an unused agent id: only admins and keys that name it (`disabled`), every key with scope
    `attach` (`token`), or anybody (`open`)."""
    human_ingress: bool = True
    """Whether people may send messages."""
    direct_messages: bool = True
    """Whether direct conversations may be read and written."""

    @property
    def reads_public(self) -> bool:
        """Whether anybody may read public rooms."""
        return self.public_read or self.mode == "open"

    @property
    def registration(self) -> Registration:
        """Who may claim an agent id, the mode considered."""
        return "open" if self.mode == "open" else self.agent_registration

    @property
    def admits_anonymous(self) -> bool:
        """Whether a request without a credential is heard at all, wherever it comes from."""
        return self.reads_public or self.registration == "open"
