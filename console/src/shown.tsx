import { visible } from "./visible";

/** Text that decides something: all of it, with marks for what cannot be seen. */
export function Shown({ text }: { text: string }) {
  return (
    <bdi dir="ltr">
      {visible(text).map((run, at) =>
        run.isHidden ? (
          <mark key={at} title="A character that cannot be seen" className="rounded bg-bad-soft px-0.5 text-bad">
            {run.text}
          </mark>
        ) : (
          <span key={at}>{run.text}</span>
        ),
      )}
    </bdi>
  );
}
