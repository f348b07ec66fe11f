"""Which variables of a caller reach a process: `TERM`, `LANG`, `LC_*` and names that a permit lists; nothing else.

Deny by default. Some names are never forwarded, whoever lists them: they decide which code other programs load, they
are the account's to set, or they look like secrets, which travel as secrets and not as variables.
"""

import re
from collections.abc import Collection, Mapping

from instar.base.errors import InstarError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_BASIC = re.compile(r"TERM|LANG|LC_[A-Z]{1,32}")
_BASIC_VALUE = re.compile(r"[A-Za-z0-9_.@:+=,-]{0,128}")
"""No slash: a locale or terminal description is never loaded from a path that the caller chose."""

_ACCOUNT = frozenset(("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TMP", "TEMP", "PWD", "OLDPWD", "UID"))
_LOADERS = frozenset(
    (
        "ENV", "IFS", "CDPATH", "FPATH", "ZDOTDIR", "SHELLOPTS", "BASHOPTS", "GLOBIGNORE", "PROMPT_COMMAND",
        "PS0", "PS1", "PS2", "PS3", "PS4", "EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESSOPEN", "LESSCLOSE",
        "LESSKEY", "LESS", "VIMINIT", "EXINIT", "VIM", "VIMRUNTIME", "CLASSPATH", "GCONV_PATH", "GETCONF_DIR",
        "HOSTALIASES", "LOCALDOMAIN", "LOCPATH", "NLSPATH", "RESOLV_HOST_CONF", "RES_OPTIONS", "TZDIR", "TERMINFO",
        "TERMINFO_DIRS", "TERMCAP", "TERMPATH", "GLIBC_TUNABLES", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_HOME", "WGETRC", "INPUTRC", "KRB5_CONFIG", "MAKEFLAGS", "MFLAGS",
        "MAKEFILES", "CC", "CXX", "LD", "AR", "CFLAGS", "LDFLAGS", "CONFIG_SITE", "TAR_OPTIONS", "GREP_OPTIONS",
        "POSIXLY_CORRECT", "RSYNC_RSH", "CVS_RSH", "SVN_SSH", "SUDO_ASKPASS", "SUDO_EDITOR", "XDG_CONFIG_HOME",
        "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS", "ELECTRON_RUN_AS_NODE", "DISPLAY", "XAUTHORITY",
        "DBUS_SESSION_BUS_ADDRESS", "JAVA_OPTS", "_JAVA_OPTIONS", "GUILE_LOAD_PATH", "EMACSLOADPATH", "INFOPATH",
        "MANPATH", "KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY",
    )
)  # fmt: skip
_LOADER_PREFIXES = (
    "LD_", "DYLD_", "_RLD", "LDR_", "MALLOC_", "BASH_", "ZSH_", "KSH_", "FISH_", "PYTHON", "PERL", "RUBY", "GEM_",
    "BUNDLE_", "NODE_", "NPM_", "YARN_", "PNPM_", "BUN_", "DENO_", "JAVA_", "JDK_", "MAVEN_", "GRADLE_", "GIT_", "SSH_",
    "GPG_", "GO", "CGO_", "RUST", "CARGO_", "DOTNET_", "COR_", "CORECLR_", "PHP", "LUA_", "TCL", "OCAML", "ERL_",
    "ELIXIR_", "R_", "JULIA_", "PIP_", "UV_", "POETRY_", "VIRTUAL_ENV", "CONDA_", "DOCKER_", "KUBE", "HELM_",
    "ANSIBLE_", "TF_", "TERRAFORM_", "GIO_", "GTK_", "QT_", "GST_", "VK_", "LIBGL_", "MESA_", "OCL_", "CUDA_", "ASAN_",
    "UBSAN_", "LSAN_", "TSAN_", "GCOV_", "LLVM_", "NIX_", "HOMEBREW_", "SYSTEMD_", "XPC_", "INSTAR_", "SUDO_", "FZF_",
    "RIPGREP_", "LUA", "CLANG_", "GCC_", "COMPILER_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE",
    "CPLUS_INCLUDE", "CMAKE_",
)  # fmt: skip
_SECRETS = re.compile(
    r"SECRET|TOKEN|PASS(WORD|WD|PHRASE)?(?=_|$)|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|PRIVATE|COOKIE|BEARER|"
    r"(^|_)(KEY|KEYS|AUTH|PW|PIN|OTP|JWT|PAT|DSN|SALT)(_|$)|^AWS_|^AZURE_|^GOOGLE_|^GCP_|DATABASE_URL|_URI$"
)


def why_never(name: str) -> str:
    """Return why no permit may list this name, in words; empty: one may."""
    upper = name.upper()
    if _NAME.fullmatch(name) is None:
        return "it is no name of a variable"
    if upper in _ACCOUNT:
        return "the node sets it from its account"
    if upper in _LOADERS or upper.startswith(_LOADER_PREFIXES):
        return "it decides what code programs load or how they act"
    if _SECRETS.search(upper):
        return "it looks like a secret"
    return ""


def forwardable(name: str, allowed: Collection[str]) -> bool:
    """Whether a variable of this name may reach a process whose permit lists `allowed`."""
    return _BASIC.fullmatch(name) is not None or (name in allowed and not why_never(name))


def filtered(env: Mapping[str, str], allowed: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Return the variables that may pass, and the names of the others, both sorted by name."""
    passed = {name: env[name] for name in sorted(env) if forwardable(name, allowed) and _is_sound(name, env[name])}
    return passed, [name for name in sorted(env) if name not in passed]


def check_listed(names: Collection[str]) -> None:
    """Refuse a permit that lists what is never forwarded.

    Raises:
        InstarError: `unprocessable_entity`: it names the variable and why.
    """
    for name in names:
        if reason := why_never(name):
            raise InstarError(
                "unprocessable_entity", f"the variable {name!r} is never forwarded: {reason}",
                hint="Leave it out; put secrets into the program's own store on the node.",
            )  # fmt: skip


def _is_sound(name: str, value: str) -> bool:
    return _BASIC_VALUE.fullmatch(value) is not None if _BASIC.fullmatch(name) else "\0" not in value
