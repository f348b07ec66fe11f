"""How many words of a command name what it does: `git push origin` is `git push`, `npm run build` is all three.

The longest prefix that the table knows counts; a program that it does not know is named by its first word.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_ONE = (
    "awk bash cat cd chmod chown cp curl cut date dd diff echo env export find grep head kill killall ln ls mkdir mkfs "
    "mv printenv ps pwd reboot rm rmdir rsync scp sed sh shutdown sleep sort source ssh tail tar tee touch tr uname "
    "uniq unset unzip wc wget which whoami xargs zip zsh"
)
_TWO = (
    "bazel brew bun bunx cargo cdk cf cmake composer consul crictl deno docker eksctl firebase flyctl git go gradle "
    "helm heroku hugo ip kind kubectl kustomize make mc minikube mongosh mvn mysql ng npm nvm nx openssl pip pipenv "
    "pnpm podman poetry psql pulumi pyenv python rake rbenv redis-cli rustup serverless skaffold sls sst swift "
    "systemctl terraform tmux turbo ufw vault vercel volta wp yarn"
)
_THREE = "aws az doctl gcloud gh sfdx"
_THREE_BY_TWO: Mapping[str, str] = {
    "bun": "run x", "cargo": "add run", "consul": "kv", "deno": "task",
    "docker": "builder compose container image network volume", "eksctl": "create", "git": "config remote stash",
    "ip": "addr link netns route", "kind": "create", "kubectl": "kustomize rollout", "mc": "admin",
    "npm": "exec init run view", "openssl": "req x509", "pnpm": "dlx exec run", "podman": "container image",
    "pulumi": "stack", "terraform": "workspace", "vault": "auth kv", "yarn": "dlx run",
}  # fmt: skip

ARITY: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(_ONE.split(), 1)
    | dict.fromkeys(_TWO.split(), 2)
    | dict.fromkeys(_THREE.split(), 3)
    | {f"{first} {second}": 3 for first, seconds in _THREE_BY_TWO.items() for second in seconds.split()}
)
"""Known prefix → how many words name the command."""


def always_glob(words: Sequence[str]) -> str:
    """Return the glob that an approval for ever would remember of a command with these words."""
    kept = max((ARITY.get(" ".join(words[:size]), 1) for size in (1, 2)), default=1)
    head = " ".join(words[:kept])
    return f"{head} *" if len(words) > kept else head
