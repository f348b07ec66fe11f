// Times as people read them. Pure functions of the time that it is.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How long ago, in the largest unit that fits; nothing for a time that never was. */
export function ago(at: string | undefined, now: number): string {
  if (!at) return "never";
  const passed = now - Date.parse(at);
  if (passed < MINUTE_MS) return "just now";
  if (passed < HOUR_MS) return `${Math.floor(passed / MINUTE_MS)} min ago`;
  if (passed < DAY_MS) return `${Math.floor(passed / HOUR_MS)} h ago`;
  return `${Math.floor(passed / DAY_MS)} d ago`;
}

/** What is left until then, as `9:05`; nothing when it has passed. */
export function countdown(until: string | undefined, now: number): string {
  const left = until ? Math.ceil((Date.parse(until) - now) / 1_000) : 0;
  return left > 0 ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "";
}
