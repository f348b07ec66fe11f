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
      <form onSubmit={submit} className="w-full max-w-sm rounded-xl border border-line bg-panel p-6 shadow-sm">
        <h1 className="text-xl font-semibold">Sign in to this hub</h1>
        <p className="mt-2 text-sm text-quiet">
          Run <code className="rounded bg-raised px-1.5 py-0.5">instar open</code> on the hub's machine for a link that signs you in, or
          type the setup code that the first start printed.
        </p>
        <label className="mt-4 block text-sm font-medium" htmlFor="code">
          Code
        </label>
        <input
          id="code"
          value={code}
          onChange={(event) => setCode(event.target.value)}
          autoFocus
          autoComplete="one-time-code"
          spellCheck={false}
          className="mt-1 w-full rounded-lg border border-line bg-page px-3 py-2 font-mono"
        />
        {notice && (
          <p role="alert" className="mt-3 text-sm text-bad">
            {notice}
          </p>
        )}
        <button type="submit" disabled={!code.trim()} className="mt-4 w-full rounded-lg bg-accent px-3 py-2 font-medium text-on-accent disabled:opacity-50">
          Sign in
        </button>
      </form>
    </main>
  );
}
