/** Tabs following the ARIA pattern: the arrow keys go from one to the next. */
export function bindTabs(list: HTMLElement): { select(id: string): void } {
  const tabs = [...list.querySelectorAll<HTMLButtonElement>('[role=tab]')]
  const select = (chosen: HTMLButtonElement) => {
    for (const tab of tabs) {
      const isChosen = tab === chosen
      tab.setAttribute('aria-selected', String(isChosen))
      tab.tabIndex = isChosen ? 0 : -1
      const panel = document.getElementById(tab.getAttribute('aria-controls') ?? '')
      if (panel !== null) panel.hidden = !isChosen
    }
  }
  for (const tab of tabs) {
    tab.addEventListener('click', () => select(tab))
    // Makes the content scrollable with the keyboard.
    const panel = document.getElementById(tab.getAttribute('aria-controls') ?? '')
    if (panel !== null) panel.tabIndex = 0
  }
  list.addEventListener('keydown', ({ key }) => {
    const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0
    const at = tabs.indexOf(document.activeElement as HTMLButtonElement)
    if (step === 0 || at < 0) return
    const next = tabs[(at + step + tabs.length) % tabs.length] as HTMLButtonElement
    select(next)
    next.focus()
  })
  return {
    select: (id) => {
      const tab = tabs.find((each) => each.id === id)
      if (tab !== undefined) select(tab)
    },
  }
}
