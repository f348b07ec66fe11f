import { expect, test } from "vitest";
import { type Letter, Outbox } from "./outbox";

function memory() {
  const kept = new Map<string, string>();
  return {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
}
const letter = (id: string): Letter => ({ key: "room:general", message: { id } as Letter["message"] });

test("letters leave in order and survive a reload until they are settled", async () => {
  const storage = memory();
  const outbox = new Outbox(storage);
  for (const id of ["a", "b", "c"]) outbox.add(letter(id));
  const sent: string[] = [];
  await outbox.drain(async ({ message }) => {
    sent.push(message.id);
    return message.id === "b" ? "unreachable" : "settled";
  });
  expect(sent).toEqual(["a", "b"]);
  expect(new Outbox(storage).letters.map((each) => each.message.id)).toEqual(["b", "c"]);
});

test("what is written while the outbox is drained leaves in the same go, once", async () => {
  const outbox = new Outbox(memory());
  outbox.add(letter("a"));
  const sent: string[] = [];
  const send = async ({ message }: Letter) => {
    sent.push(message.id);
    if (message.id === "a") {
      outbox.add(letter("b"));
      await outbox.drain(send);
    }
    return "settled" as const;
  };
  await outbox.drain(send);
  expect(sent).toEqual(["a", "b"]);
  expect(outbox.letters).toEqual([]);
});

test("a broken storage is an empty outbox", () => {
  expect(new Outbox({ ...memory(), getItem: () => "{" }).letters).toEqual([]);
});
