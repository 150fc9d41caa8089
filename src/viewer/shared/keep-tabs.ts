/** Neuroglancer keeps the Tab key inside its fields for the position, which nobody without a mouse would leave again. */
export function keepTabs(container: HTMLElement): void {
  const keep = (event: KeyboardEvent) => {
    if (event.key === 'Tab') event.stopPropagation()
  }
  container.addEventListener('keydown', keep, { capture: true })
}
