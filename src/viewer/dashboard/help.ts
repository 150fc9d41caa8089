import { element } from '../shared/elements.ts'

/** The list of keys: with the button, and with `?` outside of the volume, which has its own. */
export function bindHelp(): void {
  const dialog = element<HTMLDialogElement>('help')
  element('keys').addEventListener('click', () => dialog.showModal())
  element('help-close').addEventListener('click', () => dialog.close())
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close()
  })
  document.addEventListener('keydown', ({ key, target }) => {
    if (key !== '?' || !(target instanceof Element)) return
    const isTyping = target.matches('input:not([type=checkbox], [type=radio], [type=range]), textarea')
    const isElsewhere = isTyping || target.closest('#neuroglancer-container') !== null
    if (!isElsewhere && document.querySelector('dialog[open]') === null) dialog.showModal()
  })
}
