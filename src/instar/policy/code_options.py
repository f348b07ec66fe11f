"""Arguments by which ordinary programs run other programs, or code: no rule about the program can vouch for those."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from .words import words_of


class CodeOptions(NamedTuple):
    """What to look for among a program's arguments."""

    short: str = ""
    """Letters of short options, found in any cluster: `-xc` holds `c`."""
    long: tuple[str, ...] = ()
    """Long options; any beginning of one counts, as programs accept those."""
    words: tuple[str, ...] = ()
    """Arguments as they are."""


_TABLE = """
python pypy ipython jython | ci
perl | eEMmxdI
ruby | erI | --require
jruby | erI
node nodejs tsx ts-node | epri | --eval --print --require --import --loader --experimental-loader --env-file
bun | epr | --eval --print --preload --require | x
deno |  | --eval --preload --import-map --config | eval repl
php | rBRFEadz | --run
lua | eil
luajit | eilj
osascript runghc scala groovy ansible-playbook | e
R sbcl | eEl | --eval --load --expression
Rscript | e | --eval
julia | eELp | --eval --print --load
ghc | eF
elixir | er | --eval
erl | es |  | -eval -run -s
racket | erlt | --eval
guile | celx
clisp | xi
swipl | gt
octave |  | --eval
pwsh | ceC
vim vi nvim view ex vimdiff gvim rvim | cSsue | --cmd --eval --load --batch --command
emacs | lfe | --eval --load --funcall --execute --script --batch
nano | sY | --speller
less | kKpP | --lesskey
man | PHC | --pager --html --config-file
bat ag batcat |  | --pager
info |  | --init-file
journalctl |  | --root
ssh autossh | oFEDLRWIi
scp | oFSDi
sftp | oFSDbi
mosh |  | --ssh --server --client
sshfs | oF
ssh-keygen | D
ssh-add | s
rsync | e | --rsh --rsync-path --files-from --log-file --write-batch --config
tar bsdtar gtar | IFCT | --checkpoint-action --checkpoint --to-command --use-compress-program --rsh-command
tar bsdtar gtar |  | --rmt-command --info-script --new-volume-script --files-from
zip | T | --test --unzip-command
cpio |  | --rsh-command
split |  | --filter
sort gsort | oT | --compress-program --output --temporary-directory --files0-from
wget | eOoaiP | --execute --use-askpass --config --output-document --input-file --post-file --body-file
curl | KoOTFd | --config --output --upload-file --remote-name --form --data --json
aria2c |  | --on-download --conf-path
rg | f | --pre --hostname-bin --search-zip --file
ack |  | --pager --output --ackrc
grep egrep fgrep zgrep | f | --file
fd fdfind | xX | --exec --exec-batch
fzf |  | --bind --preview --listen
date | sf | --set --file
file | mfC | --magic-file --compile
gcc cc | B | --specs | -wrapper
g++ c++ | B |  | -wrapper
clang | B |  | -Xclang -load
ld |  | --plugin | -plugin
make | fCEeI | --eval --file --makefile --directory --environment-overrides
gmake | fCEeI | --eval --file --makefile --directory
cmake | PEC
ninja | fC
go |  |  | -exec -toolexec -vettool -modfile -overlay --exec --toolexec
cargo | ZC | --config --manifest-path
npm | cCw | --script-shell --node-options --call --prefix --shell --editor --git --userconfig --globalconfig
npm |  | --onload-script --viewer --browser --node-gyp --scripts-prepend-node-path --local-prefix --globalprefix
npm |  | --workspace
pnpm | C | --script-shell --shell-emulator --dir --config --pnpmfile --global-pnpmfile --node-options --prefix
npx | c | --call
yarn |  | --use-yarnrc --cwd --script-shell
pip pip3 pip2 |  | --python --install-option --global-option --config-settings
sqlite3 |  |  | -cmd -init --cmd --init
psql | cfov | --command --file --output --variable
mysql | e | --execute --pager --tee --init-command --defaults-file
mongosh |  | --eval --file
redis-cli |  | --eval | eval EVAL
gdb | xdpc | --eval-command --command --args --init-command | -ex -iex -ix -p
lldb | osSOkKQ | --one-line --source
tcpdump | zw
tshark | X
nmap |  | --script --datadir --iL | -iL
ansible | ame
apt apt-get | oc | --option --config-file
dpkg |  | --pre-invoke --post-invoke --status-logger
rpm | E | --eval --pipe --define
openssl |  |  | -engine -provider -provider-path engine
nc ncat nc.openbsd netcat | ec | --exec --sh-exec --lua-exec
pdflatex pdftex tex xelatex lualatex latex |  | --shell-escape | -shell-escape
mutt | eFHi
mail mailx | S
dig | f
ip | b |  | exec -batch -force
mount xsltproc | o
logrotate | ms
systemctl | H | --root --host --machine | edit link set-environment import-environment
hg |  | --config --debugger --cwd
svn |  | --config-option --editor-cmd --diff-cmd --diff3-cmd --config-dir
patch | oder | --output --directory --ed
tail |  | --pid
printf | v
docker |  | --privileged
kubectl |  | --kubeconfig
gh |  | --jq --template --editor | alias extension
jq | fL | --from-file --library-path
yq | i | --from-file --split-exp
xmllint | o | --output --shell
awk gawk mawk nawk original-awk | feEil | --file --exec --include --load --source
"""
"""Programs | letters of short options | long options | other arguments. A program in several rows has all of them."""


def _rows() -> dict[str, CodeOptions]:
    found: dict[str, CodeOptions] = {}
    for row in _TABLE.strip().splitlines():
        programs, short, long, words = (row + " | | |").split("|")[:4]
        for program in programs.split():
            known = found.get(program, CodeOptions())
            found[program] = CodeOptions(
                known.short + short.strip(), (*known.long, *long.split()), (*known.words, *words.split())
            )
    return found


_BY_PROGRAM: Mapping[str, CodeOptions] = MappingProxyType(_rows())
_GIT_LONG = tuple(
    words_of(
        "--upload-pack --receive-pack --exec --exec-path --config-env --config --extcmd --ext-diff --textconv "
        "--open-files-in-pager --template --paginate --tree-filter --index-filter --msg-filter --output "
        "--smtp-server --sendmail-cmd --reference --git-dir --work-tree --strategy --gpg-sign --edit --tool "
        "--from-file --pathspec-from-file --separate-git-dir --output-directory --super-prefix --to-cmd "
        "--cc-cmd --signed --recurse-submodules --no-index --contents --ignore-revs-file"
    )
)
_GIT_WORDS = words_of(
    "config alias bisect submodule filter-branch difftool mergetool send-email daemon instaweb hook credential "
    "web--browse credential-store credential-cache shell upload-pack receive-pack fast-import p4 svn cvsimport "
    "gui citool request-pull for-each-repo maintenance sh-i18n remote-ext remote-fd archimport cvsserver "
    "imap-send help"
)
_SED_SAFE = re.compile(
    r"\s*(?:\d+|\$|/(?:[^/\\]|\\.)*/)?(?:\s*,\s*(?:\d+|\$|/(?:[^/\\]|\\.)*/))?\s*!?\s*"
    r"(?:[pdqDPNnhHgGx=l]|s(?P<d>[/|,#:@!])(?:(?!(?P=d))[^\\\n]|\\.)*(?P=d)(?:(?!(?P=d))[^\\\n]|\\.)*(?P=d)[gpiI0-9]*|"
    r"y/(?:[^/\\]|\\.)*/(?:[^/\\]|\\.)*/)\s*"
)
_AWK_CODE = re.compile(r"system|getline|\||>|@|`|extension|ENVIRON|close|fflush|print\s*\(|-f")


def why_code(program: str, args: Sequence[str]) -> str:
    """Return why these arguments may run code or programs of their own; empty: nothing is known of that."""
    check = _CHECKS.get(program)
    if check is not None and (reason := check(args)):
        return reason
    options = _BY_PROGRAM.get(program) or _BY_PROGRAM.get(program.rstrip("0123456789."))
    if options is None:
        return ""
    for word in args:
        if reason := _why(options, word):
            return f"`{program} {reason}` runs what its arguments say, or writes where they say"
    return ""


def _why(options: CodeOptions, word: str) -> str:
    if word.split("=", 1)[0] in options.words:
        return word
    if word.startswith("--"):
        name = word.split("=", 1)[0]
        return name if len(name) > 2 and any(_abbreviates(name, each) for each in options.long) else ""
    if word.startswith("-") and len(word) > 1:
        return word if any(letter in word[1:] for letter in options.short) else ""
    return ""


def _abbreviates(name: str, option: str) -> bool:
    return option.startswith(name) or name.startswith(option)


def _git(args: Sequence[str]) -> str:
    operands = [each for each in args if not each.startswith("-")]
    command = operands[0] if operands else ""
    for word in args:
        name = word.split("=", 1)[0]
        if name.startswith("--") and len(name) > 2 and any(_abbreviates(name, each) for each in _GIT_LONG):
            return f"`git {name}` may run other programs"
        if word.startswith("-") and not name.startswith("--") and _is_git_code(word, command, args):
            return f"`git {word}` may run other programs"
        if "::" in word and word.split("::")[0].isalnum():
            return f"`{word.split('::')[0]}::` runs a program as a transport"
    return f"`git {command}` runs other programs" if command in _GIT_WORDS else ""


_GIT_SHORT: Mapping[str, tuple[str, ...]] = {
    "u": ("clone", "fetch", "ls-remote", "pull", "fetch-pack", "archive"),
    "x": ("rebase", "difftool"),
    "O": ("grep", "diff"),
    "c": ("clone", "commit", "tag", "submodule", "merge"),
    "o": ("archive", "format-patch"),
    "S": ("commit", "tag", "merge", "rebase"),
    "e": ("commit", "tag", "merge", "cherry-pick", "revert", "add", "branch", "pull"),
    "F": ("commit", "tag"),
    "i": ("rebase", "add", "am", "clean"),
    "p": ("add", "commit", "checkout", "reset", "stash"),
}
"""Short options of git's commands that run a program, an editor, or write where they say."""


def _is_git_code(word: str, command: str, args: Sequence[str]) -> bool:
    if command and args.index(command) > args.index(word):
        return word[:2] in ("-c", "-p", "-P", "-C")
    return any(letter in word and command in commands for letter, commands in _GIT_SHORT.items())


def _sed(args: Sequence[str]) -> str:
    scripts: list[str] = []
    is_named = False
    for at, word in enumerate(args):
        if word.startswith("-") and not word.startswith("--"):
            if "f" in word:
                return "`sed -f` runs a script"
            if "e" in word:
                is_named = True
                scripts.append(word.partition("e")[2] or (args[at + 1] if at + 1 < len(args) else ""))
        elif word.startswith("--") and word not in ("--quiet", "--silent", "--regexp-extended", "--posix", "--debug"):
            return f"`sed {word}` is not read"
    if not is_named:
        scripts = [each for each in args if not each.startswith("-")][:1]
    return "" if all(_SED_SAFE.fullmatch(each) for each in scripts) else "its script may write files or run programs"


def _awk(args: Sequence[str]) -> str:
    return "its program may write files or run programs" if any(_AWK_CODE.search(each) for each in args) else ""


def _editor(args: Sequence[str]) -> str:
    return "an editor runs what its arguments say" if any(each.startswith("+") for each in args) else ""


def _tar(args: Sequence[str]) -> str:
    cluster = args[0] if args and not args[0].startswith("-") else ""
    return "`tar I` and `tar F` run a program" if any(each in cluster for each in "IF") else ""


def _assigns(args: Sequence[str]) -> str:
    return "it sets variables of its recipes" if any(re.match(r"[A-Za-z_]\w*[:+?!]?=", each) for each in args) else ""


_CHECKS: Mapping[str, Callable[[Sequence[str]], str]] = MappingProxyType(
    {"git": _git, "sed": _sed, "gsed": _sed, "make": _assigns, "gmake": _assigns}
    | dict.fromkeys(("awk", "gawk", "mawk", "nawk", "original-awk"), _awk)
    | dict.fromkeys(("tar", "gtar", "bsdtar"), _tar)
    | dict.fromkeys(("vim", "vi", "nvim", "view", "ex", "gvim", "less", "more", "emacs", "nano", "man"), _editor)
)
