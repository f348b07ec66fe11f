"""What the dialect has and Instar does not, or not yet: each such method is answered with the reason, and never with an
empty success. A name that stands nowhere stays unknown.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from instar.wire.gateway.method import NODE, Method
from instar.wire.gateway.scopes import ADMIN, APPROVALS, PAIRING, QUESTIONS, READ, TALK, WRITE

from .params import OpenParams


class Gap(NamedTuple):
    """A reason, and the methods that it holds for."""

    reason: str
    names: Mapping[str, str]
    """The dialect's scope → names, a space between them."""


class AnyParams(OpenParams):
    """Whatever was sent: it is not looked at."""


_GAPS = (
    Gap(
        "a node offers commands and says how it is; tools, skills and surfaces of its own are not taken from it",
        {
            NODE: ("node.pluginSurface.refresh node.pluginTools.update node.runnerInventory.update node.skills.update"),
        },
    ),
    Gap(
        "an approval is a call that waits (`exec.approval.*`), and what is remembered of it is a rule of the hub",
        {
            APPROVALS: (
                "board.widget.grant exec.approval.grants.list exec.approval.grants.revoke plugin.approval.request "
                "plugin.approval.resolve plugin.approval.waitDecision"
            ),
            ADMIN: "nativeHook.invoke",
        },
    ),
    Gap(
        "a device asks to be let in by connecting with its own key",
        {
            ADMIN: "device.pair.setupCode device.pair.setupStatus",
            READ: "device.scopes.requestUpgrade device.scopes.waitUpgrade",
            PAIRING: "node.pair.request node.pair.verify",
        },
    ),
    Gap(
        "agents have no voice and hear none",
        {
            READ: "talk.catalog tts.personas tts.providers tts.status voicewake.get voicewake.routing.get",
            TALK: (
                "talk.client.close talk.client.create talk.client.steer talk.client.toolCall talk.client.transcript "
                "talk.mode talk.session.acknowledgeMark talk.session.appendAudio talk.session.cancelOutput "
                "talk.session.close talk.session.create talk.session.steer talk.session.submitToolResult talk.speak"
            ),
            WRITE: (
                "talk.config tts.convert tts.disable tts.enable tts.setPersona tts.setProvider tts.speak voicewake.set"
            ),
        },
    ),
    Gap(
        "no foreign chat is connected: the one channel is the hub itself",
        {
            ADMIN: (
                "channels.logout channels.start channels.stop conversations.list conversations.send "
                "conversations.turn conversations.turn.cancel web.login.start web.login.wait"
            ),
            WRITE: (
                "channels.pairing.approve message.action poll push.test push.web.preferences.set push.web.subscribe "
                "push.web.test push.web.unsubscribe push.web.vapidPublicKey"
            ),
            PAIRING: "channels.pairing.dismiss channels.pairing.list",
            READ: "push.web.preferences.get",
        },
    ),
    Gap(
        "skills are documents that agents read over HTTP, at /skill.md",
        {
            ADMIN: (
                "skills.curator.pin skills.curator.restore skills.curator.unpin skills.install skills.proposals.apply "
                "skills.proposals.create skills.proposals.evaluate skills.proposals.historyScan "
                "skills.proposals.quarantine skills.proposals.reject skills.proposals.requestRevision "
                "skills.proposals.revise skills.proposals.update skills.update skills.upload.begin "
                "skills.upload.chunk skills.upload.commit"
            ),
            READ: (
                "skills.curator.status skills.detail skills.library.list skills.library.read "
                "skills.proposals.events.list skills.proposals.historyStatus skills.proposals.inspect "
                "skills.proposals.list skills.search skills.securityVerdicts skills.skillCard"
            ),
            WRITE: (
                "skills.library.activate skills.library.import skills.library.mutate skills.library.save "
                "skills.library.upload"
            ),
        },
    ),
    Gap(
        "there is no plugin, no hook and no dashboard",
        {
            READ: (
                "assistant.media.get board.data.read board.get board.prompt.authorize board.widget.appView "
                "controlUi.githubPreview controlUi.sessionPreview controlUi.sessionPullRequests.subscribe "
                "hooks.status mcp.app.listResourceTemplates mcp.app.listResources mcp.app.listTools "
                "mcp.app.readResource mcp.app.view plugin.surface.refresh plugins.inspect plugins.list plugins.search "
                "plugins.uiDescriptors portal.list progressCard.get"
            ),
            WRITE: (
                "board.action board.event board.update board.widget.put chat.toolTitles mcp.app.callTool "
                "mcp.app.updateModelContext plugins.sessionAction portal.close portal.open progressCard.put "
                "ui.command"
            ),
            ADMIN: "plugins.install plugins.refresh plugins.setEnabled plugins.uninstall",
        },
    ),
    Gap(
        "an agent's commands are words that it understands itself, and its tools are those of `tools.catalog`",
        {
            ADMIN: "attach.grant attach.revoke",
            READ: "commands.list",
        },
    ),
    Gap(
        "an agent has no files of its own",
        {
            READ: (
                "agents.files.get agents.files.list agents.workspace.get agents.workspace.list artifacts.download "
                "artifacts.get artifacts.list projects.list projects.searchRemote sessions.diff sessions.files.get "
                "sessions.files.list worktrees.list"
            ),
            ADMIN: (
                "agents.files.set projects.register projects.remove sessions.files.reveal sessions.files.set "
                "worktrees.gc worktrees.remove worktrees.restore"
            ),
            WRITE: "projects.add worktrees.branches worktrees.create",
        },
    ),
    Gap(
        "there is no terminal, no desktop and no rented machine",
        {
            ADMIN: (
                "desktop.launch desktop.observe environments.create environments.destroy "
                "sessions.catalog.startTerminal terminal.attach terminal.close terminal.input terminal.list "
                "terminal.open terminal.resize terminal.upload worker.desktop.launch worker.desktop.observe"
            ),
            READ: "environments.list environments.status sessions.catalog.list sessions.catalog.read",
            WRITE: (
                "sessions.catalog.archive sessions.catalog.continue sessions.dispatch sessions.move sessions.reclaim"
            ),
        },
    ),
    Gap(
        "history is one line and stays whole: nothing is compacted, branched or rewound",
        {
            READ: "sessions.branches.list sessions.compaction.list",
            ADMIN: (
                "sessions.branches.switch sessions.cleanup sessions.compact sessions.compaction.restore sessions.rewind"
            ),
            WRITE: "sessions.compaction.branch sessions.fork sessions.recover sessions.steer",
        },
    ),
    Gap(
        "of a session there is its label, its members and what is said in it, nothing more",
        {
            READ: (
                "chat.metadata chat.startup sessions.companion.ask sessions.companion.state sessions.groups.list "
                "sessions.usage sessions.usage.logs sessions.usage.timeseries"
            ),
            WRITE: (
                "sessions.companion.reset sessions.goal.clear sessions.goal.update sessions.groups.defaults "
                "sessions.groups.delete sessions.groups.put sessions.groups.rename sessions.groups.update "
                "sessions.patchMany sessions.title.prepare"
            ),
            ADMIN: "sessions.pluginPatch",
        },
    ),
    Gap(
        "a session belongs to its members: there is no owner, no suggestion and no observer",
        {
            READ: (
                "session.discussion.info session.members.list session.members.listEvidence session.suggestions.list "
                "sessions.observer.visibility sessions.viewers.set"
            ),
            WRITE: (
                "session.discussion.open session.members.add session.members.remove session.suggestions.add "
                "session.suggestions.resolve session.typing session.visibility.set sessions.assignOwner"
            ),
        },
    ),
    Gap(
        "agents keep no memory yet",
        {
            WRITE: (
                "doctor.memory.backfillDreamDiary doctor.memory.dedupeDreamDiary "
                "doctor.memory.repairDreamingArtifacts doctor.memory.resetDreamDiary "
                "doctor.memory.resetGroundedShortTerm"
            ),
            READ: "doctor.memory.dreamDiary doctor.memory.status memory.search",
            ADMIN: "migrations.memory.apply migrations.memory.plan",
        },
    ),
    Gap(
        "there is no list of tasks beside the turns of agents (`audit.list`)",
        {
            READ: "audit.activity.list audit.run.inspect taskSuggestions.list tasks.get tasks.list",
            ADMIN: "cron.scratch.get cron.scratch.set taskSuggestions.accept",
            WRITE: "taskSuggestions.create taskSuggestions.dismiss tasks.cancel tasks.dismiss tasks.retry",
        },
    ),
    Gap(
        "no agent asks questions outside its conversation",
        {
            QUESTIONS: "question.get question.list question.request question.resolve question.waitAnswer",
        },
    ),
    Gap(
        "the built-in agents need no model provider",
        {
            ADMIN: "models.authLogout models.probe",
            READ: "models.authStatus",
        },
    ),
    Gap(
        "settings are made with `config.*`; there is no wizard and no setup agent",
        {
            ADMIN: (
                "config.openFile openclaw.changes.list openclaw.chat openclaw.chat.history openclaw.setup.activate "
                "openclaw.setup.activate.start openclaw.setup.auth.start openclaw.setup.detect "
                "openclaw.setup.prepare.start openclaw.setup.verify secrets.reload secrets.resolve "
                "secrets.store.delete secrets.store.list secrets.store.set wizard.cancel wizard.next wizard.start "
                "wizard.status"
            ),
        },
    ),
    Gap(
        "the hub is updated and restarted on its own machine",
        {
            READ: (
                "diagnostics.lanes diagnostics.stability gateway.restart.preflight gateway.suspend.status "
                "system.describe system.info"
            ),
            ADMIN: (
                "gateway.restart.request gateway.suspend.prepare gateway.suspend.resume update.hold update.run "
                "update.status"
            ),
        },
    ),
    Gap(
        "people are managed with `instar users`",
        {
            ADMIN: "users.linkEmail users.setRole",
            READ: "users.prefs.get",
            WRITE: "users.prefs.set users.self users.setAvatar users.setDisplayName",
        },
    ),
    Gap(
        "no account at GitHub is used",
        {
            WRITE: "sessions.github.confirm sessions.github.publish",
            READ: (
                "sessions.github.options sessions.github.status tools.github.status users.github.authorize.cancel "
                "users.github.authorize.poll users.github.authorize.start users.github.disconnect users.github.status"
            ),
            ADMIN: (
                "tools.github.authorize.cancel tools.github.authorize.poll tools.github.authorize.start "
                "tools.github.configure"
            ),
        },
    ),
)

REASONS: Mapping[str, str] = MappingProxyType(
    {name: gap.reason for gap in _GAPS for names in gap.names.values() for name in names.split()}
)
"""Method name → what Instar lacks for it."""

METHODS = tuple(
    Method(name, AnyParams, "Not available yet", scope)
    for gap in _GAPS
    for scope, names in gap.names.items()
    for name in names.split()
)
