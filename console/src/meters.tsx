// Small drawings of amounts.

import { points } from "./measures";

const HIGH = 60;
const FULL = 80;

/** A bar: green, yellow over 60 %, red over 80 %; the number says the same in words. */
export function Meter({ label, value, detail }: { label: string; value: number; detail: string }) {
  const colour = value > FULL ? "bg-bad" : value > HIGH ? "bg-busy" : "bg-good";
  return (
    <div className="min-w-0">
      <div className="flex items-baseline gap-2 text-sm">
        <span className="min-w-0 truncate text-quiet" title={label}>
          {label}
        </span>
        <span className="grow" />
        <span className="font-medium tabular-nums">{value} %</span>
      </div>
      <div role="meter" aria-label={label} aria-valuenow={value} aria-valuemin={0} aria-valuemax={100} aria-valuetext={`${value} %, ${detail}`} className="mt-1 h-2 overflow-hidden rounded-full bg-raised">
        <div className={`h-full rounded-full ${colour}`} style={{ width: `${value}%` }} />
      </div>
      <p className="mt-0.5 truncate text-xs text-quiet" title={detail}>
        {detail}
      </p>
    </div>
  );
}

/** A line of percentages over time, newest to the right. */
export function Sparkline({ label, values }: { label: string; values: readonly number[] }) {
  if (values.length < 2) return null;
  const highest = Math.round(Math.max(...values));
  return (
    <figure className="min-w-0">
      <figcaption className="flex items-baseline gap-2 text-xs text-quiet">
        <span className="grow">{label}</span>
        <span className="tabular-nums">at most {highest} %</span>
      </figcaption>
      <svg viewBox="0 0 200 32" preserveAspectRatio="none" role="img" aria-label={`${label}: now ${Math.round(values.at(-1) ?? 0)} %, at most ${highest} %`} className="mt-1 h-8 w-full rounded bg-raised text-accent">
        <polyline points={points(values, 200, 32)} fill="none" stroke="currentColor" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
      </svg>
    </figure>
  );
}
