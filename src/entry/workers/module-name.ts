import { OWN_MODULES } from '../../runtime/package-place.ts'

export const OWN_SCHEME = 'bellis:'

/** The name by which workers on other machines find a task's module: its path within Bellis, or the URL of any other module. */
export const moduleName = (url: string): string =>
  url.startsWith(OWN_MODULES) ? `${OWN_SCHEME}${url.slice(OWN_MODULES.length).replace(/\.[jt]s$/, '')}` : url
