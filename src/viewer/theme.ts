export type Theme = 'light' | 'dark'

const KEY = 'bellis-theme'

/** What was chosen here before, or what the system prefers. */
export function initialTheme(): Theme {
  const chosen = localStorage.getItem(KEY)
  if (chosen === 'light' || chosen === 'dark') return chosen
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'
}

export function toggleTheme(): Theme {
  const theme = document.documentElement.dataset.theme === 'light' ? 'dark' : 'light'
  localStorage.setItem(KEY, theme)
  return theme
}
