import { type FormEvent, useState } from "react";
import { hub } from "./hub";

export function SignIn({ notice }: { notice: string }) {
  const [code, setCode] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (code.trim()) void hub.signIn(code.trim());
  };
  return (
    <main className="flex h-full items-center justify-center p-4">
      <form onSubmit={submit} className="w-full max-w-sm rounded-2xl border border-line bg-panel p-7 shadow-sm">
        <img src="/console/icon.svg" alt="" className="size-9" />
        <h1 className="mt-4 text-xl font-semibold tracking-tight">Sign in to this hub</h1>
        <p className="mt-2 text-sm text-quiet">
          Run <code className="code">instar open</code> on the hub's machine for a link that signs you in, or type the setup code that its
          first start printed.
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
          className="mt-1 w-full rounded-lg border border-edge bg-page px-3 py-2 font-mono placeholder:text-quiet"
        />
        {notice && (
          <p id="refusal" role="alert" className="mt-3 text-sm text-bad">
            {notice}
          </p>
        )}
        <button type="submit" disabled={!code.trim()} className="primary mt-5 w-full">
          Sign in
        </button>
      </form>
    </main>
  );
}
