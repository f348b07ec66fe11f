import { type FormEvent, useState } from "react";
import { hub, useHub } from "./hub";
import { Confirmed, Labels, Page, Part, Rights, Trouble, useNow } from "./page";
import { ago } from "./time";
import type { Person, Scope } from "./wire";

const LEAST_CHARS = 12;
const OFFERED: Scope[] = ["observe", "write", "attach", "admin", "operate", "devices", "keys", "approve", "execute"];

/** Who signs in with a name and a password. */
export function People() {
  const { people, isLoaded } = useHub((view) => view.access);
  const me = useHub((view) => view.me);
  const isKeeper = me?.scopes.includes("keys") ?? false;
  return (
    <Page title="People" about="Who signs in with a name and a password, and what each may do.">
      {me?.principal.kind === "person" && (
        <Part title="Your password">
          <Password id={me.principal.id} isOwn />
        </Part>
      )}
      {isKeeper && (
        <>
          <Part title="People">
            {people.length > 0 && (
              <ul className="divide-y divide-line rounded-xl border border-line bg-panel">
                {people.map((person) => (
                  <Row key={person.id} person={person} isMe={person.id === me?.principal.id} />
                ))}
              </ul>
            )}
            {isLoaded && people.length === 0 && <p className="text-sm text-quiet">Nobody has been added yet.</p>}
          </Part>
          <Part title="Add a person">
            <Adding held={me?.scopes ?? []} />
          </Part>
        </>
      )}
    </Page>
  );
}

function Row({ person, isMe }: { person: Person; isMe: boolean }) {
  const now = useNow();
  const [trouble, setTrouble] = useState("");
  const [isSetting, setSetting] = useState(false);
  const isDisabled = Boolean(person.disabled_at);
  const disable = async () => setTrouble(await hub.act("people.disable", { person_id: person.id }));
  const enable = async () => setTrouble(await hub.act("people.enable", { person_id: person.id }));
  const remove = async () => setTrouble(await hub.act("people.remove", { person_id: person.id }));
  return (
    <li aria-label={person.login} className="p-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="min-w-0 grow">
          <p className={`font-medium break-words ${isDisabled ? "text-quiet line-through" : ""}`}>
            <bdi>{person.name}</bdi>
          </p>
          <p className="text-sm text-quiet">
            {person.login} · {isDisabled ? `disabled ${ago(person.disabled_at, now)}` : `last seen ${ago(person.last_used_at, now)}`}
          </p>
        </div>
        <div className="flex flex-wrap gap-2">
          {!isMe && !isDisabled && (
            <button type="button" className="second" aria-expanded={isSetting} onClick={() => setSetting(!isSetting)}>
              Set password
            </button>
          )}
          {isDisabled ? (
            <>
              <button type="button" className="second" onClick={() => void enable()}>
                Enable
              </button>
              <Confirmed key="remove" label="Remove" question="Remove for good?" act={() => void remove()} />
            </>
          ) : (
            !isMe && <Confirmed key="disable" label="Disable" question="Sign them out and let them in no more?" act={() => void disable()} />
          )}
        </div>
      </div>
      <div className="mt-2 text-sm">
        <Labels scopes={person.scopes} />
      </div>
      {isSetting && <Password id={person.id} done={() => setSetting(false)} />}
      <Trouble text={trouble} />
    </li>
  );
}

function Password({ id, isOwn = false, done }: { id: string; isOwn?: boolean; done?: () => void }) {
  const [current, setCurrent] = useState("");
  const [wanted, setWanted] = useState("");
  const [trouble, setTrouble] = useState("");
  const [isSaved, setSaved] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const refusal = await hub.act("people.set_password", { person_id: id, password: wanted, ...(isOwn && { current }) });
    setTrouble(refusal);
    setSaved(!refusal);
    if (refusal) return;
    setCurrent("");
    setWanted("");
    done?.();
  };
  return (
    <form onSubmit={(event) => void submit(event)} className="mt-3">
      <div className="flex flex-wrap items-end gap-3">
        {isOwn && <Secret label="Current password" value={current} change={setCurrent} autoComplete="current-password" />}
        <Secret label="New password" value={wanted} change={setWanted} autoComplete="new-password" />
        <button type="submit" className="primary" disabled={wanted.length < LEAST_CHARS || (isOwn && !current)}>
          Save
        </button>
      </div>
      <p role="status" className="mt-2 text-sm text-quiet">
        {isSaved ? "Saved. Every other session has ended." : `${isOwn ? "Your other" : "Their"} sessions end with it.`}
      </p>
      <Trouble text={trouble} />
    </form>
  );
}

function Secret({ label, value, change, autoComplete }: { label: string; value: string; change(value: string): void; autoComplete: string }) {
  return (
    <label className="block text-sm font-medium">
      {label}
      <input type="password" value={value} onChange={(event) => change(event.target.value)} autoComplete={autoComplete} maxLength={256} placeholder={autoComplete === "new-password" ? `At least ${LEAST_CHARS} characters` : ""} className="field mt-1 block w-60" />
    </label>
  );
}

function Adding({ held }: { held: readonly Scope[] }) {
  const [login, setLogin] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(() => (["observe", "write"] as Scope[]).filter((scope) => held.includes(scope)));
  const [trouble, setTrouble] = useState("");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const refusal = await hub.act("people.add", { login: login.trim(), name: name.trim(), password, scopes });
    setTrouble(refusal);
    if (refusal) return;
    setLogin("");
    setName("");
    setPassword("");
  };
  return (
    <form onSubmit={(event) => void submit(event)} className="rounded-xl border border-line bg-panel p-4">
      <div className="flex flex-wrap gap-3">
        <label className="block text-sm font-medium">
          Login
          <input value={login} onChange={(event) => setLogin(event.target.value)} autoComplete="off" autoCapitalize="none" spellCheck={false} maxLength={128} className="field mt-1 block w-60" />
        </label>
        <label className="block text-sm font-medium">
          Name
          <input value={name} onChange={(event) => setName(event.target.value)} autoComplete="off" maxLength={128} placeholder="As others see it" className="field mt-1 block w-60" />
        </label>
        <Secret label="Password" value={password} change={setPassword} autoComplete="new-password" />
      </div>
      <Rights legend="They may" offered={OFFERED} held={held} chosen={scopes} choose={setScopes} />
      <Trouble text={trouble} />
      <button type="submit" className="primary mt-4" disabled={!login.trim() || password.length < LEAST_CHARS || scopes.length === 0}>
        Add
      </button>
    </form>
  );
}
