import { type FormEvent, useState } from "react";
import { hub } from "./hub";

const KEPT = "instar.sign-in";
type Way = "code" | "password";

/** By a code of the hub's operator, or by a name and a password; the way that was taken last is offered first. */
export function SignIn({ notice }: { notice: string }) {
  const [way, setWay] = useState<Way>(() => (localStorage.getItem(KEPT) === "password" ? "password" : "code"));
  const choose = (next: Way) => {
    localStorage.setItem(KEPT, next);
    hub.dismiss();
    setWay(next);
  };
  return (
    <main className="flex h-full items-center justify-center p-4">
      <div className="w-full max-w-sm rounded-2xl border border-line bg-panel p-7 shadow-sm">
        <img src="/console/icon.svg" alt="" className="size-9" />
        <h1 className="mt-4 text-xl font-semibold tracking-tight">Sign in to this hub</h1>
        {way === "code" ? <ByCode notice={notice} /> : <ByPassword notice={notice} />}
        <button type="button" className="mt-4 w-full text-center text-sm text-accent hover:underline" onClick={() => choose(way === "code" ? "password" : "code")}>
          {way === "code" ? "Use a name and a password" : "Use a link or a code"}
        </button>
      </div>
    </main>
  );
}

function ByCode({ notice }: { notice: string }) {
  const [code, setCode] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (code.trim()) void hub.signIn(code.trim());
  };
  return (
    <form onSubmit={submit}>
      <p className="mt-2 text-sm text-quiet">
        Run <code className="code">instar open</code> on the hub's machine for a link that signs you in, or type the setup code that its last
        start printed.
      </p>
      <label className="mt-5 block text-sm font-medium" htmlFor="code">
        Code
      </label>
      <input
        id="code"
        value={code}
        onChange={(event) => setCode(event.target.value)}
        autoFocus
        autoComplete="one-time-code"
        autoCapitalize="characters"
        spellCheck={false}
        placeholder="XXXXX-XXXXX"
        aria-invalid={Boolean(notice)}
        aria-describedby={notice ? "refusal" : undefined}
        className="field mt-1 w-full font-mono"
      />
      <Refused notice={notice} />
      <button type="submit" disabled={!code.trim()} className="primary mt-5 w-full">
        Sign in
      </button>
    </form>
  );
}

function ByPassword({ notice }: { notice: string }) {
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!(await hub.signInAs(login.trim(), password))) setPassword("");
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <label className="mt-5 block text-sm font-medium" htmlFor="login">
        Name
      </label>
      <input
        id="login"
        value={login}
        onChange={(event) => setLogin(event.target.value)}
        autoFocus
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        className="field mt-1 w-full"
      />
      <label className="mt-3 block text-sm font-medium" htmlFor="password">
        Password
      </label>
      <input
        id="password"
        type="password"
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        autoComplete="current-password"
        aria-invalid={Boolean(notice)}
        aria-describedby={notice ? "refusal" : undefined}
        className="field mt-1 w-full"
      />
      <Refused notice={notice} />
      <button type="submit" disabled={!login.trim() || !password} className="primary mt-5 w-full">
        Sign in
      </button>
    </form>
  );
}

function Refused({ notice }: { notice: string }) {
  return notice ? (
    <p id="refusal" role="alert" className="mt-3 text-sm text-bad">
      {notice}
    </p>
  ) : null;
}
