// Machines that calls may run on, what waits for an approval, and the rules; kept current by events and signals.

import type { Link } from "./link";
import type { Approval, Call, EventView, ExecStatus, KnownRule, Node, NodeRequest, RouteRow, RuleList, Scope, SshKey, SshTarget, Telemetry } from "./wire";

export interface MachinesView {
  nodes: Node[];
  requests: NodeRequest[];
  status: ExecStatus | null;
  targets: SshTarget[];
  keys: SshKey[];
  routes: RouteRow[];
  approvals: Approval[];
  /** Terminals that run, of whomever this person may see. */
  shells: Call[];
  rules: KnownRule[];
  ruleFile: Pick<RuleList, "file" | "file_fault">;
  isLoaded: boolean;
}

export const NO_MACHINES: MachinesView = {
  nodes: [],
  requests: [],
  status: null,
  targets: [],
  keys: [],
  routes: [],
  approvals: [],
  shells: [],
  rules: [],
  ruleFile: {},
  isLoaded: false,
};

const REFRESH_MS = 150;
const LIVE_MAX = 500;
/** What lies behind so many pages of calls that run is not looked for. */
const LIVE_PAGES_MAX = 20;
type Part = "machines" | "approvals" | "rules" | "shells";

export function mayApprove(scopes: readonly Scope[]): boolean {
  return scopes.includes("approve");
}

export function maySee(scopes: readonly Scope[]): boolean {
  return scopes.some((scope) => scope === "observe" || scope === "admin" || scope === "execute");
}

export function mayExecute(scopes: readonly Scope[]): boolean {
  return scopes.includes("execute");
}

export class Machines {
  #scopes: readonly Scope[] = [];
  #view = NO_MACHINES;
  #due = new Set<Part>();
  #refresh: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly link: Link,
    readonly changed: (view: MachinesView) => void,
  ) {}

  /** Read everything that somebody with these scopes may see. */
  async load(scopes: readonly Scope[]): Promise<void> {
    this.#scopes = scopes;
    await Promise.all([this.#machines(), this.#approvals(), this.#rules(), this.#shells()]);
    this.#set({ isLoaded: true });
  }

  /** Read anew soon what an event is about. */
  received(event: EventView): void {
    const audited = String(event.audit?.["operation"] ?? "");
    if (/^(node|ssh|route|device)\./.test(event.type) || /^(nodes|ssh|routes|pairing)\./.test(audited)) this.#due.add("machines");
    if (event.type.startsWith("approval.")) this.#due.add("approvals");
    if (/^rules?\./.test(event.type)) this.#due.add("rules");
    if (event.type.startsWith("call.") && (event.call as Partial<Call> | undefined)?.has_terminal) this.#due.add("shells");
    if (this.#due.size === 0) return;
    clearTimeout(this.#refresh);
    this.#refresh = setTimeout(() => void this.#renew().catch(() => null), REFRESH_MS);
  }

  reported(nodeId: string, telemetry: Telemetry): void {
    this.#set({ nodes: this.#view.nodes.map((node) => (node.id === nodeId ? { ...node, telemetry, is_stale: false } : node)) });
  }

  async #renew(): Promise<void> {
    const due = this.#due;
    this.#due = new Set();
    await Promise.all([due.has("machines") && this.#machines(), due.has("approvals") && this.#approvals(), due.has("rules") && this.#rules(), due.has("shells") && this.#shells()]);
  }

  #set(change: Partial<MachinesView>): void {
    this.#view = { ...this.#view, ...change };
    this.changed(this.#view);
  }

  async #machines(): Promise<void> {
    if (!maySee(this.#scopes)) return;
    const isKeeper = this.#scopes.includes("devices");
    const [{ nodes }, { targets }, { keys }, status, { requests }, { routes }] = await Promise.all([
      this.link.call("nodes.list", {}),
      this.link.call("ssh.targets", {}),
      this.link.call("ssh.keys", {}),
      this.link.call("nodes.exec_status", {}),
      isKeeper ? this.link.call("nodes.requests", {}) : { requests: [] },
      mayExecute(this.#scopes) ? this.link.call("routes.list", {}) : { routes: [] },
    ]);
    this.#set({ nodes, targets, keys, status, requests, routes });
  }

  async #approvals(): Promise<void> {
    if (!mayApprove(this.#scopes)) return;
    const { approvals } = await this.link.call("approvals.list", { state: "pending", limit: 500 });
    this.#set({ approvals });
  }

  async #shells(): Promise<void> {
    if (!mayExecute(this.#scopes)) return;
    const shells: Call[] = [];
    let before = "";
    for (let page = 0; page < LIVE_PAGES_MAX; page++) {
      const { calls, has_more, next_before } = await this.link.call("calls.list", { live: true, limit: LIVE_MAX, ...(before && { before }) });
      shells.push(...calls.filter((call) => call.has_terminal));
      before = next_before ?? calls.at(-1)?.id ?? "";
      if (!has_more || !before) break;
    }
    this.#set({ shells });
  }

  async #rules(): Promise<void> {
    if (!mayApprove(this.#scopes)) return;
    const { rules, ...ruleFile } = await this.link.call("approvals.rules", {});
    this.#set({ rules, ruleFile });
  }
}
