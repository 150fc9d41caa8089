export type Theme = 'light' | 'dark'

const KEY = 'bellis-theme'

/** The theme chosen earlier, otherwise the one the system prefers. */
export function initialTheme(): Theme {
  const chosen = storedTheme()
  if (chosen === 'light' || chosen === 'dark') return chosen
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'
}

export function toggleTheme(): Theme {
  const theme = document.documentElement.dataset.theme === 'light' ? 'dark' : 'light'
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // The browser does not allow storage.
  }
  return theme
}

function storedTheme(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
