"""What the operator decided about access (Moltnet http.v1 §5.1)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Mode = Literal["bearer", "none", "open"]
Registration = Literal["disabled", "token", "open"]
AutoApprove = Literal["off", "operator", "loopback"]
Secret = Annotated[str, Meta(extra={"secret": True})]
"""A setting whose value is never shown."""


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

    token: Secret = ""
    """Shared secret of the gateway: when it is set, every connection of that dialect presents it or a credential that
    the hub gave out, local ones too."""
    password: Secret = ""
    """The same as a password that people type."""
    proxy_header: str = ""
    """Header in which a trusted proxy names the person whom it has signed in; empty: none is believed."""
    tailscale: str = ""
    """Path of the `tailscale` command; with it a person whom Tailscale Serve names is let in once it confirms them."""

    @property
    def has_shared_secret(self) -> bool:
        """Whether the gateway asks every connection for a secret."""
        return bool(self.token or self.password)

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


class PairingPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How devices are let in."""

    auto_approve: AutoApprove = "operator"
    """Which devices the hub lets in by itself: none (`off`); on this machine, those that present the local operator's
    own grant (`operator`), or those that present the shared secret as well (`loopback`). A browser never."""
