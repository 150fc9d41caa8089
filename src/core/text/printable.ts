// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/**
 * A text from a dataset, a task or a worker, for a terminal: control characters other than line breaks and tabs are shown as `\x1b`,
 * so that none of them moves the cursor, changes the screen or the order in which text is shown.
 */
export const printable = (text: string): string => text.replace(CONTROLS, showCharacter)

/** The same for a text within a line: its line breaks and tabs are shown, too, so that it can't pretend to be a line of Bellis. */
export const printableLine = (text: string): string => printable(text).replace(/[\n\t]/g, showCharacter)

function showCharacter(character: string): string {
  const code = character.charCodeAt(0)
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
}

/** JSON with the same value, in which the control characters that JSON allows in texts are written as `\u009b`. */
export const printableJson = (json: string): string =>
  json.replace(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
