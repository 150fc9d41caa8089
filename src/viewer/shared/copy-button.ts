import { make } from './elements.ts'

const SHOWN_MS = 1500

/** A button that copies a text. @param what for its name: `the command` */
export function copyButton(text: string, what: string): HTMLButtonElement {
  const button = make('button', { type: 'button', class: 'copy', 'aria-label': `Copy ${what}`, title: text }, 'Copy')
  let timer: ReturnType<typeof setTimeout> | undefined
  button.addEventListener('click', async () => {
    button.textContent = (await copy(text)) ? 'Copied' : 'Not allowed'
    clearTimeout(timer)
    timer = setTimeout(() => {
      button.textContent = 'Copy'
    }, SHOWN_MS)
  })
  return button
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Browsers offer the clipboard only to this machine and over https; elsewhere a selection can be copied.
    return copySelection(text)
  }
}

function copySelection(text: string): boolean {
  const area = make('textarea', { readonly: true, style: 'position: fixed; opacity: 0' }, text)
  const before = document.activeElement as HTMLElement | null
  document.body.append(area)
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  before?.focus()
  return isCopied
}
