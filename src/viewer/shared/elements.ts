export const element = <Kind extends HTMLElement>(id: string): Kind => document.getElementById(id) as Kind

type Content = Node | string | false | undefined

/** An element with attributes and content; what is false or undefined is left out. */
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

/** Sets a text where it is another one: what is selected stays so. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

/** For drawing little and often: by the processor, since without a graphics card anything else costs a multiple of that. */
export const drawingContext = (canvas: HTMLCanvasElement): CanvasRenderingContext2D | null =>
  canvas.getContext('2d', { willReadFrequently: true })
