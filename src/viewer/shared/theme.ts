export type Theme = 'light' | 'dark'

const KEY = 'bellis-theme'

/** What was chosen here before, or what the system prefers. */
export function initialTheme(): Theme {
  const chosen = kept()
  if (chosen === 'light' || chosen === 'dark') return chosen
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'
}

export function toggleTheme(): Theme {
  const theme = document.documentElement.dataset.theme === 'light' ? 'dark' : 'light'
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // A browser that keeps nothing.
  }
  return theme
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
