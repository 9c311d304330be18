import type { Detected, Proposed } from './detect.ts'
import { SCHEMA_LINE } from './schema-line.ts'

const HEAD = `# Services of your own, run by \`msvc up\` beside the platform, as \`msvc init\` found them: look over each \`run\`, then \`msvc check\` and \`msvc up\`.
# Each is given HOST and PORT (to listen on), SERVICE_NAME, GATEWAY_URL, BROKER_URL, <NAME>_URL of every other one, and more. What it writes to
# stdout and stderr becomes log entries: \`msvc logs <name>\`.
# An editor completes this file after \`msvc schema > msvc.schema.json\`, and with this as its first line: ${SCHEMA_LINE}
`

const FURTHER = `    # port: 7001 # a fixed one; without it a free one
    # env: { LOG_LEVEL: debug }
    # route: { path: /%, methods: { GET: public } } # at the gateway`

/** What of it goes into a file that `msvc check` holds for good: `msvc.yaml`. */
export function fileText({ services, remarks }: Detected): string {
  const all = [HEAD, 'services:', ...services.map(sectionOf)]
  if (remarks.length > 0) all.push(['', ...remarks.map((remark) => `# ${oneLine(remark)}`)].join('\n'))
  return `${all.join('\n')}\n`
}

function sectionOf({ name, dir, run, ready, needs, notes }: Proposed): string {
  const lines = [
    ...notes.map((note) => `  # ${oneLine(note)}`),
    `  ${scalar(name)}:`,
    `    run: ${scalar(run)}`,
    ...(dir === '.' ? [] : [`    dir: ${scalar(dir)}`]),
    ready === undefined ? '    ready: tcp # or http /health' : `    ready: ${scalar(ready)} # it has no port`,
    ...(needs.length > 0 ? [`    needs: [${needs.map(scalar).join(', ')}]`] : []),
    ready === undefined ? FURTHER.replace('%', name) : '    # env: { LOG_LEVEL: debug }',
  ]
  return lines.join('\n')
}

/** Words that YAML 1.1 and 1.2 take for something else than text. */
const NO_TEXT = /^(?:y|n|yes|no|on|off|true|false|null|~|[-+.\d].*)$/i
const PLAIN = /^[A-Za-z.$/][\w ./$=@%+-]*$/

/** A text as YAML has it on one line, plain where it can be. */
function scalar(text: string): string {
  if (PLAIN.test(text) && !text.endsWith(' ') && !NO_TEXT.test(text.replace(/^\.\//, 'x'))) return text
  return /^[\x20-\x7e]*$/.test(text) ? `'${text.replaceAll("'", "''")}'` : JSON.stringify(text)
}

/** A comment ends with its line, and names of files may hold anything. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}
