// Machines that are reached by SSH: the hub knows how to get there, and nothing of how they are.

import { type FormEvent, useState } from "react";
import { Copyable } from "./copyable";
import { TestAndPin } from "./exec-status";
import { hub, useHub } from "./hub";
import { Confirmed, Part, Trouble, useNow } from "./page";
import { ShellList } from "./shell-list";
import { openTerminal } from "./terminal-frame";
import { ago } from "./time";
import type { SshKey, SshMode, SshTarget } from "./wire";

export function SshTargets() {
  const { targets, keys, isLoaded } = useHub((view) => view.machines);
  const scopes = useHub((view) => view.me?.scopes) ?? [];
  const isKeeper = scopes.includes("admin") && scopes.includes("execute");
  return (
    <>
      <Part title="SSH targets">
        <p className="-mt-1 mb-2 text-sm text-quiet">The hub dials them itself. They report nothing of themselves: no telemetry, no presence.</p>
        {targets.length > 0 && (
          <ul className="divide-y divide-line rounded-xl border border-line bg-panel">
            {targets.map((target) => (
              <Target key={target.id} target={target} isKeeper={isKeeper} />
            ))}
          </ul>
        )}
        {isLoaded && targets.length === 0 && <p className="text-sm text-quiet">No SSH target has been named yet.</p>}
        {isKeeper && <Adding keys={keys} />}
      </Part>
      {isKeeper && (
        <Part title="SSH keys">
          {keys.length > 0 && (
            <ul className="divide-y divide-line rounded-xl border border-line bg-panel">
              {keys.map((key) => (
                <Key key={key.id} held={key} />
              ))}
            </ul>
          )}
          <NewKey />
        </Part>
      )}
    </>
  );
}

function Badge({ tone, children }: { tone: "good" | "busy" | "bad" | "quiet"; children: string }) {
  const tones = { good: "bg-raised text-ink", busy: "bg-busy-soft text-busy", bad: "bg-bad-soft text-bad", quiet: "bg-raised text-quiet" };
  return <span className={`rounded px-1.5 py-0.5 text-xs font-medium whitespace-nowrap ${tones[tone]}`}>{children}</span>;
}

function Target({ target, isKeeper }: { target: SshTarget; isKeeper: boolean }) {
  const now = useNow();
  const mayExecute = useHub((view) => view.me?.scopes.includes("execute") ?? false);
  const [trouble, setTrouble] = useState("");
  const isPinned = (target.host_fingerprints ?? []).length > 0;
  const makeDefault = async () => setTrouble(await hub.act("ssh.update_target", { ssh_target_id: target.id, is_default: !target.is_default }));
  const remove = async () => setTrouble(await hub.act("ssh.remove_target", { ssh_target_id: target.id }));
  return (
    <li aria-label={target.label} className="p-4">
      <div className="flex flex-wrap items-start gap-x-3 gap-y-2">
        <div className="min-w-0 grow">
          <p className="flex flex-wrap items-center gap-1.5 font-medium">
            <bdi className="break-words">{target.label}</bdi>
            {target.is_default && <Badge tone="good">default for ssh</Badge>}
            <Badge tone="quiet">{target.mode === "managed" ? "managed key" : "system OpenSSH"}</Badge>
            <Badge tone={isPinned ? "good" : "busy"}>{isPinned ? "host pinned" : target.mode === "managed" ? "host not pinned" : "uses known_hosts"}</Badge>
            {target.is_blocked && <Badge tone="bad">blocked</Badge>}
          </p>
          <p className="text-sm break-words text-quiet">
            {target.address}
            {target.port ? `:${target.port}` : ""}
            {target.key_name && ` · key ${target.key_name}`}
            {target.last_test && ` · ${target.last_test.ok ? "answered" : `failed (${target.last_test.failure_code})`} ${ago(target.last_test.tested_at, now)}`}
          </p>
        </div>
        {mayExecute && !target.is_blocked && (
          <button type="button" className="second" onClick={() => openTerminal(`ssh:${target.label}`, target.label)}>
            Terminal
          </button>
        )}
      </div>
      {target.is_blocked && (
        <p role="alert" className="mt-2 rounded-lg bg-bad-soft px-3 py-2 text-sm text-bad">
          The host shows another key than the pinned one{target.blocked_fingerprint && `: ${target.blocked_fingerprint}`}. Nothing is sent there until the pin is refreshed.
        </p>
      )}
      {isPinned && <p className="mt-1 font-mono text-xs break-all text-quiet">{target.host_fingerprints?.join(" ")}</p>}
      <ShellList target={`ssh:${target.label}`} targetId={target.id} name={target.label} />
      {isKeeper && (
        <>
          <TestAndPin target={target} />
          <div className="mt-2 flex flex-wrap gap-2">
            <button type="button" className="second" onClick={() => void makeDefault()}>
              {target.is_default ? "No default" : "Make default"}
            </button>
            <Confirmed label="Remove" question="Forget this target?" act={() => void remove()} />
          </div>
        </>
      )}
      <Trouble text={trouble} />
    </li>
  );
}

function Adding({ keys }: { keys: readonly SshKey[] }) {
  const [isOpen, setOpen] = useState(false);
  const [label, setLabel] = useState("");
  const [address, setAddress] = useState("");
  const [port, setPort] = useState("");
  const [mode, setMode] = useState<SshMode>("system");
  const [key, setKey] = useState("");
  const [trouble, setTrouble] = useState("");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const chosen = mode === "managed" ? { key: key || keys[0]?.id || "" } : {};
    const refusal = await hub.act("ssh.add_target", { label: label.trim(), address: address.trim(), mode, ...chosen, ...(port && { port: Number(port) }) });
    setTrouble(refusal);
    if (refusal) return;
    setLabel("");
    setAddress("");
    setPort("");
    setOpen(false);
  };
  if (!isOpen)
    return (
      <button type="button" className="second mt-3" onClick={() => setOpen(true)}>
        Add an SSH target
      </button>
    );
  return (
    <form aria-label="Add an SSH target" onSubmit={(event) => void submit(event)} className="mt-3 rounded-xl border border-line bg-panel p-4">
      <div className="flex flex-wrap gap-3">
        <Field label="Name" value={label} change={setLabel} placeholder="build" width="w-36" isFirst />
        <Field label="Address" value={address} change={setAddress} placeholder="deploy@build.example" width="w-60" />
        <Field label="Port" value={port} change={(value) => setPort(value.replace(/\D/g, ""))} placeholder="22" width="w-20" />
      </div>
      <fieldset className="mt-3">
        <legend className="text-sm font-medium">It signs in with</legend>
        <label className="mt-1 flex items-baseline gap-2 text-sm">
          <input type="radio" name="mode" checked={mode === "system"} onChange={() => setMode("system")} className="translate-y-0.5 accent-accent" />
          <span>
            the machine's own OpenSSH <span className="text-quiet">its configuration, keys and agent</span>
          </span>
        </label>
        <label className="mt-1 flex items-baseline gap-2 text-sm">
          <input type="radio" name="mode" checked={mode === "managed"} disabled={keys.length === 0} onChange={() => setMode("managed")} className="translate-y-0.5 accent-accent" />
          <span>
            a key that the hub keeps <span className="text-quiet">{keys.length ? "with a pinned host key only" : "make one below first"}</span>
          </span>
        </label>
      </fieldset>
      {mode === "managed" && (
        <label className="mt-3 block text-sm font-medium">
          Key
          <select value={key || keys[0]?.id} onChange={(event) => setKey(event.target.value)} className="field mt-1 block">
            {keys.map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
      )}
      <Trouble text={trouble} />
      <div className="mt-4 flex gap-2">
        <button type="submit" className="primary" disabled={!label.trim() || !address.trim()}>
          Add
        </button>
        <button type="button" className="second" onClick={() => setOpen(false)}>
          Leave
        </button>
      </div>
    </form>
  );
}

function Field({ label, value, change, placeholder, width, isFirst = false }: { label: string; value: string; change(value: string): void; placeholder: string; width: string; isFirst?: boolean }) {
  return (
    <label className="block text-sm font-medium">
      {label}
      <input value={value} autoFocus={isFirst} onChange={(event) => change(event.target.value)} placeholder={placeholder} autoComplete="off" autoCapitalize="none" spellCheck={false} className={`field mt-1 block max-w-full ${width}`} />
    </label>
  );
}

function Key({ held }: { held: SshKey }) {
  const [trouble, setTrouble] = useState("");
  const remove = async () => setTrouble(await hub.act("ssh.remove_key", { ssh_key_id: held.id }));
  return (
    <li aria-label={held.name} className="p-4">
      <div className="flex flex-wrap items-center gap-2">
        <p className="flex min-w-0 grow flex-wrap items-center gap-1.5 font-medium">
          {held.name}
          {held.is_readable === false && <Badge tone="bad">cannot be decrypted</Badge>}
          <span className="text-sm font-normal text-quiet">{held.targets ? `used by ${held.targets}` : "not used"}</span>
        </p>
        <Confirmed label="Remove" question="Destroy this key?" act={() => void remove()} />
      </div>
      <p className="mt-1 font-mono text-xs break-all text-quiet">{held.fingerprint}</p>
      <div className="mt-2">
        <Copyable text={held.public_key} label={`the public key of ${held.name}`} />
      </div>
      <Trouble text={trouble} />
    </li>
  );
}

function NewKey() {
  const [name, setName] = useState("");
  const [isImport, setImport] = useState(false);
  const [secret, setSecret] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [trouble, setTrouble] = useState("");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const params = { name: name.trim() };
    const refusal = await (isImport ? hub.act("ssh.import_key", { ...params, private_key: secret, passphrase }) : hub.act("ssh.generate_key", params));
    setTrouble(refusal);
    setPassphrase("");
    if (refusal) return;
    setName("");
    setSecret("");
    setImport(false);
  };
  return (
    <form aria-label="A new SSH key" onSubmit={(event) => void submit(event)} className="mt-3">
      <div className="flex flex-wrap items-end gap-3">
        <Field label="Name of a new key" value={name} change={setName} placeholder="deploy" width="w-44" />
        <button type="submit" className="second" disabled={!name.trim() || (isImport && !secret.trim())}>
          {isImport ? "Import" : "Generate"}
        </button>
        <button type="button" className="second" aria-expanded={isImport} onClick={() => setImport(!isImport)}>
          {isImport ? "Generate instead" : "Import instead"}
        </button>
      </div>
      {isImport && (
        <div className="mt-3 space-y-3">
          <label className="block text-sm font-medium">
            Private key
            <textarea value={secret} onChange={(event) => setSecret(event.target.value)} rows={4} autoComplete="off" spellCheck={false} placeholder="-----BEGIN OPENSSH PRIVATE KEY-----" className="field mt-1 block w-full font-mono text-xs" />
          </label>
          <label className="block text-sm font-medium">
            Passphrase, if it has one
            <input type="password" value={passphrase} onChange={(event) => setPassphrase(event.target.value)} autoComplete="off" className="field mt-1 block w-60" />
          </label>
        </div>
      )}
      <Trouble text={trouble} />
    </form>
  );
}
