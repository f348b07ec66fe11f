// Who is let in: devices, what they ask, and people; kept current by events for whom the hub lets see them.

import type { Link } from "./link";
import type { Device, EventView, PairingRequest, PairingWindow, Person, Scope } from "./wire";

export interface AccessView {
  window: PairingWindow | null;
  requests: PairingRequest[];
  devices: Device[];
  people: Person[];
  isLoaded: boolean;
}

export const UNSEEN: AccessView = { window: null, requests: [], devices: [], people: [], isLoaded: false };

const REFRESH_MS = 100;

export class Access {
  #scopes: readonly Scope[] = [];
  #refresh: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly link: Link,
    readonly changed: (view: AccessView) => void,
  ) {}

  /** Read everything that somebody with these scopes may see. */
  async load(scopes: readonly Scope[]): Promise<void> {
    this.#scopes = scopes;
    const [access, people] = await Promise.all([this.#devices(), this.#people()]);
    this.changed({ ...access, people, isLoaded: true });
  }

  /** Read anew soon after something happened to a device or a person, or somebody opened or closed the window. */
  received(event: EventView): void {
    const isAbout = /^(device|person|key)\./.test(event.type) || String(event.audit?.["operation"] ?? "").startsWith("pairing.");
    if (!isAbout) return;
    clearTimeout(this.#refresh);
    this.#refresh = setTimeout(() => void this.load(this.#scopes).catch(() => null), REFRESH_MS);
  }

  async #devices(): Promise<Pick<AccessView, "window" | "requests" | "devices">> {
    if (!this.#scopes.includes("devices")) return { window: null, requests: [], devices: [] };
    const [window, { requests }, { devices }] = await Promise.all([
      this.link.call("pairing.status", {}),
      this.link.call("devices.requests", {}),
      this.link.call("devices.list", {}),
    ]);
    return { window, requests, devices };
  }

  async #people(): Promise<Person[]> {
    return this.#scopes.includes("keys") ? (await this.link.call("people.list", {})).people : [];
  }
}
