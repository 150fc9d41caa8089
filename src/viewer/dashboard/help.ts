import { element } from '../shared/elements.ts'
import { onHelpKey } from '../shared/help-key.ts'

/** The list of keys: with the button, and with `?`. */
export function bindHelp(): void {
  const dialog = element<HTMLDialogElement>('help')
  element('keys').addEventListener('click', () => dialog.showModal())
  element('help-close').addEventListener('click', () => dialog.close())
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close()
  })
  onHelpKey(() => dialog.showModal())
}
