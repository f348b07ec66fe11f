// The command by which another machine becomes a node of this hub. Pure functions.

import type { Reach } from "./wire";

export interface Joining {
  command: string;
  /** Fingerprint of the certificate that the machine compares by itself; empty: it does not. */
  certificate: string;
  /** What stands in its way, or makes it unsafe; commands are in backticks. */
  hints: string[];
}

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/** Build it from where this page was loaded, and what the hub says of how others reach it. */
export function joining(origin: string, { url: far = "", certificate: made = "" }: Reach = {}): Joining {
  const url = isLoopback(origin) && far ? far : origin;
  // A page that came by another way than the hub's own, as through a proxy, has met another certificate.
  const certificate = isSameEnd(url, far) ? made : "";
  const command = `instar node join ${url}${certificate && ` --fingerprint ${certificate}`}`;
  return { command, certificate, hints: hintsFor(url, certificate) };
}

function hintsFor(url: string, certificate: string): string[] {
  if (isLoopback(url))
    return ["The hub listens on its own machine alone: no other one reaches this address. On the hub's machine run `instar config set listen.address 0.0.0.0:8787` and start the hub again; it then encrypts, and this command changes."];
  if (url.startsWith("http:"))
    return ["This address is not encrypted: whoever carries the connection reads and changes what is said. If a proxy encrypts for the hub, name its address: `instar config set server.public_url https://…`. Otherwise turn encryption on: `instar config set tls.mode auto`."];
  if (!certificate)
    return ["If no authority vouches for the certificate at this address, the machine asks whether its fingerprint is right: compare it with `instar tls fingerprint`, run on the hub's machine."];
  return [];
}

/** Whether both are the hub's own port, by whatever name. */
function isSameEnd(url: string, far: string): boolean {
  if (!far) return false;
  const [one, other] = [new URL(url), new URL(far)];
  return one.protocol === other.protocol && one.port === other.port;
}

function isLoopback(url: string): boolean {
  return LOOPBACK.test(new URL(url).hostname);
}
