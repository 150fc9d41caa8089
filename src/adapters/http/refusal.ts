import type { ServerResponse } from 'node:http'

/** Answers with the reason for a refusal: as a page for browsers, as a line of text for programs. */
export function refuse(response: ServerResponse, status: number, text: string): void {
  const { method, headers } = response.req
  const isForPeople = /\btext\/html\b/.test(headers.accept ?? '')
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('Content-Type', `${isForPeople ? 'text/html' : 'text/plain'}; charset=utf-8`)
  response.writeHead(status)
  response.end(method === 'HEAD' ? undefined : isForPeople ? page(text) : `${text}\n`)
}

/** @param text our own text, with nothing that the client sent */
const page = (text: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bellis</title>
<style>
  :root { color-scheme: light dark; --ground: #f5f7f8; --text: #1b2026; --line: #cfd6dc; --raised: #fff }
  @media (prefers-color-scheme: dark) { :root { --ground: #14171b; --text: #e6e9ec; --line: #343b44; --raised: #1e2329 } }
  body { margin: 0; min-height: 100dvh; display: grid; place-items: center; background: var(--ground); color: var(--text);
    font: 16px / 1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif }
  main { max-width: 30em; margin: 16px; padding: 16px 24px; border: 1px solid var(--line); border-radius: 8px; background: var(--raised) }
  h1 { margin: 0 0 4px; font-size: 18px }
  p { margin: 0 }
</style>
<main><h1>Bellis</h1><p>${text}</p></main>
`
