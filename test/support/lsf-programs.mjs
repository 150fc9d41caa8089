// A stand-in for LSF's bsub, bjobs and bkill, for machines without LSF. It follows their public command reference in what a run
// uses: arrays, -H, -q, -o with fields and a delimiter, -J, -s, the messages and the exit codes. Jobs are processes of this machine.
//
//   LSF_STANDIN=FOLDER node lsf-programs.mjs bsub|bjobs|bkill ARGS…
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

const home = process.env.LSF_STANDIN
const [program, ...args] = process.argv.slice(2)

const fileOf = (id, index, what) => join(home, `${id}`, `${index}.${what}`)
const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)

/** Complete or absent, for others that look at the same time. */
function write(file, text) {
  writeFileSync(`${file}.${process.pid}`, text)
  renameSync(`${file}.${process.pid}`, file)
}

function fail(message, exitCode = 255) {
  process.stderr.write(`${message}\n`)
  process.exit(exitCode)
}

/** Options with their values, and what follows them. */
function parse(words, withoutValue) {
  const options = {}
  let at = 0
  for (; words[at]?.startsWith('-'); at++) options[words[at]] = withoutValue.includes(words[at]) ? true : words[++at]
  return { options, rest: words.slice(at) }
}

function newId() {
  for (let id = 1; ; id++) {
    try {
      mkdirSync(join(home, `${id}`))
      return id
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
  }
}

function bsub() {
  const { options, rest } = parse(args, ['-H', '-x', '-rn', '-B', '-N'])
  const queue = options['-q'] ?? 'normal'
  if (!['normal', 'short'].includes(queue)) fail(`${queue}: No such queue. Job not submitted.`)
  const [, name = '', count = '1'] = /^(.*?)(?:\[1-(\d+)\])?$/.exec(options['-J'] ?? '') ?? []
  const id = newId()
  const job = {
    name,
    command: rest.join(' '),
    count: Number(count),
    isHeld: options['-H'] === true,
    cwd: process.cwd(),
  }
  write(join(home, `${id}`, 'job.json'), JSON.stringify(job))
  for (let index = 1; index <= job.count && !job.isHeld; index++) {
    spawn(process.execPath, [process.argv[1], 'run', `${id}`, `${index}`], { detached: true, stdio: 'ignore' }).unref()
  }
  const where = options['-q'] === undefined ? `default queue <${queue}>` : `queue <${queue}>`
  console.log(`Job <${id}> is submitted to ${where}.`)
}

/** One job, to its end. */
function run([id, index]) {
  const { command, cwd } = JSON.parse(read(join(home, id, 'job.json')))
  if (existsSync(fileOf(id, index, 'exit'))) return
  const env = { ...process.env, LSB_JOBID: id, LSB_JOBINDEX: index }
  const child = spawn('/bin/sh', ['-c', command], { cwd, env, detached: true, stdio: 'ignore' })
  write(fileOf(id, index, 'pid'), `${child.pid}`)
  child.on('exit', (code, signal) => write(fileOf(id, index, 'exit'), signal ?? `${code}`))
}

/** All jobs, as bjobs shows them. */
const jobs = () =>
  readdirSync(home)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => a - b)
    .flatMap((id) => {
      const text = read(join(home, id, 'job.json'))
      if (text === undefined) return []
      const job = JSON.parse(text)
      return Array.from({ length: job.count }, (_, at) => {
        const index = at + 1
        const exit = read(fileOf(id, index, 'exit'))
        const pid = read(fileOf(id, index, 'pid'))
        const stat =
          exit !== undefined
            ? exit === '0'
              ? 'DONE'
              : 'EXIT'
            : job.isHeld
              ? 'PSUSP'
              : pid === undefined
                ? 'PEND'
                : 'RUN'
        return {
          ...{ jobid: id, jobindex: `${index}`, stat, job_name: job.name, command: job.command, pid },
          exec_host: stat === 'RUN' ? hostname() : '-',
          exit_reason: stat === 'EXIT' && exit?.startsWith('SIG') ? `Exited by LSF signal ${exit}` : '-',
          pend_reason: stat === 'PEND' ? 'New job is waiting for scheduling' : '-',
        }
      })
    })

/** The jobs that ids such as 12, 12[3] and 0 mean. */
const meant = (ids, name) =>
  jobs().filter(
    (job) =>
      (name === undefined || job.job_name === name) &&
      (ids.length === 0 || ids.some((id) => ['0', job.jobid, `${job.jobid}[${job.jobindex}]`].includes(id))),
  )

function bjobs() {
  const { options, rest } = parse(args, ['-a', '-noheader', '-w'])
  const { '-o': format = '', '-J': name } = options
  const [, fields = '', delimiter = ' '] = /^(.*?)(?: delimiter='(.)')?$/.exec(format) ?? []
  const shown = meant(rest, name)
  for (const job of shown)
    console.log(
      fields
        .split(' ')
        .map((field) => job[field] ?? '-')
        .join(delimiter),
    )
  const unknown = rest.filter((id) => meant([id]).length === 0)
  for (const id of unknown) process.stderr.write(`Job <${id}> is not found\n`)
  if (name !== undefined && shown.length === 0) process.stderr.write(`Job <${name}> is not found\n`)
  if (unknown.length > 0 || shown.length === 0) process.exitCode = 255
}

function bkill() {
  const { options, rest } = parse(args, [])
  for (const id of rest) {
    const found = meant([id], options['-J']).filter(({ stat }) => stat !== 'DONE' && stat !== 'EXIT')
    if (found.length === 0) {
      process.stderr.write(`Job <${id}>: Job has already finished or no matching job found\n`)
      process.exitCode = 255
    }
    for (const { jobid, jobindex, pid } of found) {
      console.log(`Job <${jobid}[${jobindex}]> is being terminated`)
      if (pid === undefined) write(fileOf(jobid, jobindex, 'exit'), 'SIGKILL')
      else
        try {
          process.kill(-Number(pid), `SIG${options['-s'] ?? 'TERM'}`)
        } catch {
          // It has ended in the meantime.
        }
    }
  }
}

if (program === 'bsub') bsub()
else if (program === 'bjobs') bjobs()
else if (program === 'bkill') bkill()
else if (program === 'run') run(args)
else fail(`${program}: not a program of LSF`)
