import type { DatasetPath, RunDescription } from '../../core/board/summary.ts'
import { copyButton } from '../shared/copy-button.ts'
import { make } from '../shared/elements.ts'

/** The facts of a run that do not change: its command, configuration, inputs, outputs and folder. */
export function fillAbout(list: HTMLElement, description: RunDescription): void {
  const { startedWith, directory, inputs, outputs, folder, command } = description
  list.replaceChildren(
    ...(startedWith === undefined ? [] : entry('Command', line(startedWith, startedWith, 'the command'))),
    ...(startedWith === undefined ? [] : entry('Started in', line(directory, directory, 'the directory'))),
    ...paths('Input', inputs),
    ...paths('Output', outputs),
    ...configurations(description),
    ...entry('Run folder', line(folder, folder, "the run's folder")),
    ...entry('To open this page again', line(command, command, 'the command of this page')),
  )
}

function entry(title: string, ...content: readonly Node[]): HTMLElement[] {
  return [make('dt', {}, title), make('dd', {}, ...content)]
}

const line = (shown: string, copied: string, what: string): HTMLElement =>
  make('p', { class: 'line' }, make('code', { title: copied }, shown), copyButton(copied, what))

const paths = (title: string, datasets: readonly DatasetPath[]): HTMLElement[] =>
  datasets.length === 0
    ? []
    : entry(
        datasets.length === 1 ? title : `${title}s`,
        ...datasets.map(({ name, path }) => line(name, path, `the path of ${name}`)),
      )

/** What each task was given, without the paths that are shown already. */
function configurations({ tasks, inputs, outputs }: RunDescription): HTMLElement[] {
  const shown = new Set([...inputs, ...outputs].map(({ name }) => name))
  const lines = tasks.flatMap(({ id, config = {} }) => {
    const fields = Object.entries(config).filter(([, value]) => !(typeof value === 'string' && shown.has(value)))
    if (fields.length === 0) return []
    const text = fields.map(([field, value]) => `${field} ${JSON.stringify(value)}`).join('  ')
    const name = tasks.length === 1 ? '' : make('b', {}, `${id}: `)
    return [make('p', { class: 'line' }, make('code', {}, name, text))]
  })
  return lines.length === 0 ? [] : entry('Configuration', ...lines)
}
