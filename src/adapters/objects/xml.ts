const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** The text of an element as it was meant: entities and references to characters replaced. */
const plainText = (xml: string): string =>
  xml.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(amp|lt|gt|quot|apos));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name.toLowerCase()] as string
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    return code > 0x10ffff ? whole : String.fromCodePoint(code)
  })

/**
 * The contents of all elements of a name, as XML, in their order; elements of that name are not inside each other in any answer of S3.
 * Takes a time that is proportional to the length: answers come from servers that others run.
 */
export function elementsOf(xml: string, name: string): string[] {
  const found: string[] = []
  const [start, end] = [`<${name}>`, `</${name}>`]
  for (let at = xml.indexOf(start); at >= 0; ) {
    const from = at + start.length
    const to = xml.indexOf(end, from)
    if (to < 0) break
    found.push(xml.slice(from, to))
    at = xml.indexOf(start, to + end.length)
  }
  return found
}

/** The text of the first element of a name; undefined if there is none. */
export function textOf(xml: string, name: string): string | undefined {
  const [content] = elementsOf(xml, name)
  return content === undefined ? undefined : plainText(content)
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** A text as the content of an element. */
export const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (char) => ESCAPES[char] as string)
