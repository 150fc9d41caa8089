export const element = <Kind extends HTMLElement>(id: string): Kind => document.getElementById(id) as Kind

type Content = Node | string | false | undefined

/** Creates an element with attributes and content, leaving out those that are false or undefined. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string | number | boolean | undefined>> = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, '')
    else if (value !== false && value !== undefined) made.setAttribute(key, String(value))
  }
  made.append(...content.filter((part) => part !== false && part !== undefined))
  return made
}

/** Sets a text if it has changed, so that a selection in it stays. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

/** A context for small, frequent drawing. It draws on the processor: without a graphics card everything else is several times slower. */
export const drawingContext = (canvas: HTMLCanvasElement): CanvasRenderingContext2D | null =>
  canvas.getContext('2d', { willReadFrequently: true })
