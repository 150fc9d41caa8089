/** A start tag, an end tag, or an empty element. */
export interface XmlTag {
  /** Without the prefix of its namespace: `Pixels` for `OME:Pixels`. */
  readonly name: string
  readonly isEnd: boolean
  readonly attributes: () => ReadonlyMap<string, string>
  /** What follows up to the next tag or comment, at most 1000 characters of it, without blanks around it; entities stay as they are. */
  readonly text: () => string
}

const MOST_TEXT = 1000

/**
 * The tags of an XML text, in their order; comments and CDATA are left out. Each character is looked at once, however the text is damaged:
 * what doesn't end is no tag, nor is anything after it.
 */
export function* xmlTags(xml: string): Generator<XmlTag> {
  for (let at = xml.indexOf('<'); at >= 0; ) {
    const skipped = SKIPPED.find(([start]) => xml.startsWith(start, at))
    const end = skipped === undefined ? endOfTag(xml, at + 1) : endAfter(xml, skipped[1], at + skipped[0].length)
    if (end < 0) return
    if (skipped === undefined) {
      const text = xml.slice(at + 1, end - 1)
      const name = /^\/?(?:[\w.-]*:)?([\w.-]*)/.exec(text) as RegExpExecArray
      yield {
        name: name[1] as string,
        isEnd: text.startsWith('/'),
        attributes: () => attributesOf(text, name[0].length),
        text: () => textAt(xml, end),
      }
    }
    at = xml.indexOf('<', end)
  }
}

/** What is not a tag, by how it starts and ends. */
const SKIPPED = [['<!--', '-->'], ['<![CDATA[', ']]>'], ['<?', '?>']] as const // biome-ignore format: a table

/** @returns the place after `text`, from `from` on; -1 if there is none */
function endAfter(xml: string, text: string, from: number): number {
  const found = xml.indexOf(text, from)
  return found < 0 ? -1 : found + text.length
}

/** The place after the `>` of a tag, which values in quotes may contain, too; -1 if it does not end. */
function endOfTag(xml: string, from: number): number {
  for (let at = from; at < xml.length; at++) {
    const character = xml[at]
    if (character === '>') return at + 1
    if (character !== '"' && character !== "'") continue
    at = xml.indexOf(character, at + 1)
    if (at < 0) return -1
  }
  return -1
}

function textAt(xml: string, from: number): string {
  const text = xml.slice(from, from + MOST_TEXT)
  const end = text.indexOf('<')
  return (end < 0 ? text : text.slice(0, end)).trim()
}

/** Attributes from a place in a tag on, up to what is none. */
function attributesOf(tag: string, from: number): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const attribute = /\s+([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/y
  attribute.lastIndex = from
  for (let match = attribute.exec(tag); match !== null; match = attribute.exec(tag)) {
    const [, name, double, single] = match
    found.set(name as string, double ?? single ?? '')
  }
  return found
}
