import { type FormEvent, useState } from "react";
import { hub, useHub } from "./hub";
import { Confirmed, Labels, Page, Part, Trouble, useNow } from "./page";
import { Requests, Window } from "./pairing";
import { ago } from "./time";
import type { Device } from "./wire";

/** Which devices may connect, and which ask to. */
export function Devices() {
  const { window, requests, devices, isLoaded } = useHub((view) => view.access);
  const isKeeper = useHub((view) => view.me?.scopes.includes("devices") ?? false);
  const about = "Programs and machines with a key of their own. Each is let in once, with the rights that you give it.";
  if (isLoaded && !isKeeper) return <Page title="Devices" about="Who lets devices in needs scope devices, which you do not have." />;
  return (
    <Page title="Devices" about={about}>
      {window && <Window window={window} />}
      <Requests requests={requests} />
      <Part title="Paired devices">
        {devices.length > 0 && (
          <ul className="divide-y divide-line rounded-xl border border-line bg-panel">
            {devices.map((device) => (
              <Row key={device.id} device={device} />
            ))}
          </ul>
        )}
        {isLoaded && devices.length === 0 && <p className="text-sm text-quiet">No device has been let in yet.</p>}
      </Part>
    </Page>
  );
}

function Row({ device }: { device: Device }) {
  const now = useNow();
  const [trouble, setTrouble] = useState("");
  const [isNaming, setNaming] = useState(false);
  const name = device.facts.name || device.alias || device.id.slice(0, 12);
  const isRevoked = Boolean(device.revoked_at);
  const revoke = async () => setTrouble(await hub.act("devices.revoke", { device_id: device.id }));
  const remove = async () => setTrouble(await hub.act("devices.remove", { device_id: device.id }));
  const rename = async (wanted: string) => {
    const refusal = wanted === name ? "" : await hub.act("devices.rename", { device_id: device.id, name: wanted });
    setTrouble(refusal);
    if (!refusal) setNaming(false);
  };
  return (
    <li aria-label={name} className="p-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="min-w-0 grow">
          {isNaming ? (
            <Naming name={name} rename={rename} leave={() => setNaming(false)} />
          ) : (
            <p className={`font-medium break-words ${isRevoked ? "text-quiet line-through" : ""}`}>
              <bdi>{name}</bdi>
            </p>
          )}
          <p className="text-sm text-quiet">
            {[device.facts.platform, device.dialect].filter(Boolean).join(" · ")}
            {(device.facts.platform || device.dialect) && " · "}
            {isRevoked ? `revoked ${ago(device.revoked_at, now)}` : `last seen ${ago(device.last_seen_at, now)}`}
          </p>
        </div>
        <div className="flex flex-wrap gap-2">
          {!isNaming && !isRevoked && (
            <button type="button" className="second" onClick={() => setNaming(true)}>
              Rename
            </button>
          )}
          {isRevoked ? (
            <Confirmed key="remove" label="Remove" question="Forget it? Its key may ask again." act={() => void remove()} />
          ) : (
            <Confirmed key="revoke" label="Revoke" question="End its rights now?" act={() => void revoke()} />
          )}
        </div>
      </div>
      {(device.grants ?? []).map((grant) => (
        <div key={grant.role} className="mt-2 flex flex-wrap items-baseline gap-x-2 gap-y-1 text-sm">
          <span className="text-quiet">{grant.role}</span>
          <Labels scopes={grant.scopes} />
        </div>
      ))}
      {device.fingerprint && <p className="mt-2 font-mono text-xs break-all text-quiet">{device.fingerprint}</p>}
      <Trouble text={trouble} />
    </li>
  );
}

function Naming({ name, rename, leave }: { name: string; rename(wanted: string): Promise<void>; leave(): void }) {
  const [wanted, setWanted] = useState(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wanted.trim()) void rename(wanted.trim());
  };
  return (
    <form onSubmit={submit} className="flex gap-2">
      <input
        aria-label={`Name of ${name}`}
        autoFocus
        maxLength={128}
        value={wanted}
        onChange={(event) => setWanted(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && leave()}
        className="field min-w-0 grow"
      />
      <button type="submit" className="second">
        Save
      </button>
    </form>
  );
}
