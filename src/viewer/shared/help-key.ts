/** Calls `show` for `?`, wherever the focus is, unless a text is being written or a dialog is open. */
export function onHelpKey(show: () => void): void {
  // Captured: Neuroglancer takes the focus when it has loaded, and keeps keys.
  const listen = (event: KeyboardEvent) => {
    const { key, target } = event
    if (key !== '?' || isTextField(target) || document.querySelector('dialog[open]') !== null) return
    event.stopPropagation()
    show()
  }
  document.addEventListener('keydown', listen, { capture: true })
}

const isTextField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches('input:not([type=checkbox], [type=radio], [type=range]), textarea'))
