// The bytes of a call that the hub keeps, by ranges, and how far its input goes.

export interface Range {
  offset: number;
  /** How much is stored in all. */
  total: number;
  content: Uint8Array;
}

export class Unreadable extends Error {
  constructor(
    message: string,
    /** It will never be readable again. */
    readonly isGone = false,
  ) {
    super(message);
  }
}

export function outputPath(callId: string, channel: number): string {
  return `/v1/calls/${encodeURIComponent(callId)}/output?channel=${channel}`;
}

/** Read a range of what a call wrote; a negative offset counts from the end.
 *
 * @throws {Unreadable} Why not, as a sentence.
 */
export async function readOutput(callId: string, channel: number, offset: number, limit: number): Promise<Range> {
  const answer = await asked(`${outputPath(callId, channel)}&offset=${offset}&limit=${limit}`);
  const content = new Uint8Array(await answer.arrayBuffer());
  const at = Number(answer.headers.get("instar-offset") ?? Math.max(0, offset));
  return { offset: at, total: Number(answer.headers.get("instar-total") ?? at + content.length), content };
}

/** How far a call's input goes.
 *
 * @throws {Unreadable} Why nobody knows.
 */
export async function inputOffset(callId: string): Promise<number> {
  const answer = await asked(`/v1/calls/${encodeURIComponent(callId)}/input`, { method: "POST" });
  return ((await answer.json()) as { offset: number }).offset;
}

async function asked(path: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(path, init).catch(() => null);
  if (!answer) throw new Unreadable("The hub does not answer.");
  if (answer.status === 410) throw new Unreadable("It is no longer kept.", true);
  if (!answer.ok) throw new Unreadable(`It cannot be read (${answer.status}).`);
  return answer;
}
