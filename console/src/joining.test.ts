import { expect, test } from "vitest";
import { joining } from "./joining";

const far = { url: "https://192.0.2.7:8787", certificate: "SHA256:abc=" };

test.each([
  ["over loopback", "http://127.0.0.1:8787", far],
  ["by name", "https://localhost:8787", far],
  ["from elsewhere", "https://192.0.2.7:8787", far],
])("%s, the command names the hub's certificate", (_, origin, reach) => {
  expect(joining(origin, reach)).toEqual({ command: "instar node join https://192.0.2.7:8787 --fingerprint SHA256:abc=", certificate: "SHA256:abc=", hints: [] });
});

test("the name by which a person came stays, on the hub's own port", () => {
  expect(joining("https://hub.example:8787", far).command).toBe("instar node join https://hub.example:8787 --fingerprint SHA256:abc=");
});

test("a hub that listens on loopback alone says so", () => {
  const { command, hints } = joining("http://[::1]:8787", {});
  expect(command).toBe("instar node join http://[::1]:8787");
  expect(hints.join()).toContain("`instar config set listen.address");
});

test("what came by another way is not vouched for by the hub's own certificate", () => {
  const { command, hints } = joining("https://proxy.example", far);
  expect(command).toBe("instar node join https://proxy.example");
  expect(hints.join()).toContain("`instar tls fingerprint`");
});

test("an address that is not encrypted is called so", () => {
  expect(joining("http://127.0.0.1:1", { url: "http://192.0.2.7:1", certificate: "" }).hints.join()).toContain("not encrypted");
});
