// xterm.js writes its styles into <style> elements and style attributes; this console's policy lets neither work.
// Adopted style sheets and the CSSOM are the same styles by ways that the policy trusts, as no text becomes markup there.

const NAME = "instar-sheet";

/** Stands where a <style> element would, and adopts its text as a style sheet while it is part of the page. */
class Sheet extends HTMLElement {
  readonly #sheet = new CSSStyleSheet();
  #text = "";

  override get textContent(): string {
    return this.#text;
  }
  override set textContent(text: string) {
    this.#text = text;
    this.#sheet.replaceSync(text);
  }

  connectedCallback(): void {
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.#sheet];
  }
  disconnectedCallback(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== this.#sheet);
  }
}

function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

/** Run `open`, in which xterm.js makes the elements that hold its styles. */
export function withSheets(open: () => void): void {
  if (!customElements.get(NAME)) customElements.define(NAME, Sheet);
  // Colours beyond the palette are set as an attribute of each span.
  HTMLSpanElement.prototype.setAttribute = setAttribute;
  const make = document.createElement.bind(document);
  // Its own property hides the inherited method for as long as this lasts; nothing else runs meanwhile.
  document.createElement = ((name: string) => make(name === "style" ? NAME : name)) as typeof document.createElement;
  try {
    open();
  } finally {
    Reflect.deleteProperty(document, "createElement");
  }
}
