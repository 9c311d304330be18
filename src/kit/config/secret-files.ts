import { isSystemFault, readRegularFile } from '../../drivers/regular-file.ts'
import { messageOf } from '../errors.ts'
import { HIDDEN } from '../secrets/secret-text.ts'

/** Longest value that is taken from a file, bytes. */
const MAX_BYTES = 65_536
const SUFFIX = '_FILE'
/** Characters of the shortest text that is hidden: less stands in many a word, and guards nothing. */
const SHORTEST = 4
/** Characters of a value that a message quotes before it cuts it, see `shown`. */
const QUOTED = 56

type Variables = Readonly<Record<string, string | undefined>>

/** An environment with what stands in files filled in. */
export interface FilledVariables {
  readonly variables: Variables
  readonly faults: readonly string[]
  /** Hides what came from files in a message, which may quote it. */
  hide(message: string): string
}

/**
 * Takes values from files that the environment names, as Docker and Kubernetes mount secrets: where `DATABASE_URL` is known, `DATABASE_URL_FILE=/run/secrets/db`
 * stands for what that file holds, without the line break at its end.
 * @param isKnown whether a variable without the ending is one that is read
 */
export function withFiles(environment: Variables, isKnown: (name: string) => boolean): FilledVariables {
  const faults: string[] = []
  const secrets: string[] = []
  const filled: Record<string, string | undefined> = { ...environment }
  for (const [from, path] of Object.entries(environment)) {
    const name = from.slice(0, -SUFFIX.length)
    if (!from.endsWith(SUFFIX) || !path || !isKnown(name)) continue
    const told = textOf(path)
    filled[from] = undefined
    if (environment[name]) faults.push(`${from}: ${name} is set too; leave one of them out`)
    else if ('fault' in told) faults.push(`${from}: ${told.fault}`)
    else {
      filled[name] = told.text
      secrets.push(told.text)
    }
  }
  const quoted = spellings(secrets)
  const hide = (message: string) => quoted.reduce((text, secret) => text.replaceAll(secret, HIDDEN), message)
  return { variables: filled, faults, hide }
}

/** How a message may quote a text: as it is, as JSON, an item of a list, cut. The longest first, since some are a part of others. */
function spellings(secrets: readonly string[]): readonly string[] {
  const texts = secrets.flatMap((secret) => [secret, ...secret.split(',').map((item) => item.trim())])
  const all = texts.flatMap((text) => {
    const inJson = JSON.stringify(text).slice(1, -1)
    return [text, inJson, inJson.slice(0, QUOTED)]
  })
  return [...new Set(all)].filter(({ length }) => length >= SHORTEST).sort((a, b) => b.length - a.length)
}

function textOf(path: string): { readonly text: string } | { readonly fault: string } {
  try {
    const text = readRegularFile(path, MAX_BYTES)
      .toString('utf8')
      .replace(/\r?\n$/, '')
    return text === '' ? { fault: `${path} is empty` } : { text }
  } catch (thrown) {
    if (!isSystemFault(thrown)) return { fault: `${path} is ${messageOf(thrown)}` }
    return { fault: `${path} can't be read (${messageOf(thrown)}); is the secret mounted?` }
  }
}
