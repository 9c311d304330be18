import { readRegularFile } from '../../drivers/regular-file.ts'
import { messageOf } from '../errors.ts'

/** Longest value that is taken from a file, bytes. */
const MAX_BYTES = 65_536
const SUFFIX = '_FILE'

type Variables = Readonly<Record<string, string | undefined>>

/** An environment with what stands in files filled in. */
export interface FilledVariables {
  readonly variables: Variables
  readonly faults: readonly string[]
}

/**
 * Takes values from files that the environment names, as Docker and Kubernetes mount secrets: where `DATABASE_URL` is known, `DATABASE_URL_FILE=/run/secrets/db`
 * stands for what that file holds, without the line break at its end. What it holds is in no message.
 * @param isKnown whether a variable without the ending is one that is read
 */
export function withFiles(environment: Variables, isKnown: (name: string) => boolean): FilledVariables {
  const faults: string[] = []
  const filled: Record<string, string | undefined> = { ...environment }
  for (const [from, path] of Object.entries(environment)) {
    const name = from.slice(0, -SUFFIX.length)
    if (!from.endsWith(SUFFIX) || !path || !isKnown(name)) continue
    const told = textOf(path)
    filled[from] = undefined
    if (environment[name]) faults.push(`${from}: ${name} is set too; leave one of them out`)
    else if ('fault' in told) faults.push(`${from}: ${told.fault}`)
    else filled[name] = told.text
  }
  return { variables: filled, faults }
}

function textOf(path: string): { readonly text: string } | { readonly fault: string } {
  try {
    const bytes = readRegularFile(path)
    if (bytes.length > MAX_BYTES) return { fault: `${path} is larger than ${MAX_BYTES} bytes` }
    const text = bytes.toString('utf8').replace(/\r?\n$/, '')
    return text === '' ? { fault: `${path} is empty` } : { text }
  } catch (thrown) {
    return { fault: `${path} can't be read (${messageOf(thrown)}); is the secret mounted?` }
  }
}
