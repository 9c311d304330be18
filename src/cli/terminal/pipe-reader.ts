import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A process's open file descriptor, as proc(5) names it. */
interface Descriptor {
  readonly process: string
  readonly number: string
}

/** Whose processes may not be looked at may read it all the same. */
type Search = Descriptor | 'none' | 'unsure'

/**
 * Makes the question whether the reader of a pipe has gone. Nothing but a write is told so by the system, and who waits for something to write has none:
 * so the processes are asked. True only on Linux, and where that is certain: a reader was seen, or every process could be looked at.
 * @param own the descriptor of this process that may be a pipe's writing end
 */
export function watchReader(own: number): () => boolean {
  const pipe = target({ process: 'self', number: String(own) })
  if (!pipe?.startsWith('pipe:')) return () => false
  let seen: Descriptor | undefined
  return () => {
    if (seen && target(seen) === pipe) return false
    const found = search(pipe)
    const isGone = found === 'none' || (found === 'unsure' && seen !== undefined)
    seen = typeof found === 'string' ? seen : found
    return isGone
  }
}

function search(pipe: string): Search {
  let isSure = true
  for (const process of list('/proc') ?? []) {
    if (!/^\d+$/.test(process)) continue
    const numbers = list(`/proc/${process}/fd`)
    // it has ended meanwhile, or is somebody else's
    isSure &&= numbers !== undefined || list(`/proc/${process}`) === undefined
    for (const number of numbers ?? []) {
      const descriptor = { process, number }
      if (target(descriptor) === pipe && reads(descriptor)) return descriptor
    }
  }
  return isSure ? 'none' : 'unsure'
}

function target({ process, number }: Descriptor): string | undefined {
  return attempt(() => readlinkSync(`/proc/${process}/fd/${number}`))
}

/** O_RDONLY and O_RDWR have no lowest bit, O_WRONLY has it. */
function reads({ process, number }: Descriptor): boolean {
  const info = attempt(() => readFileSync(`/proc/${process}/fdinfo/${number}`, 'latin1'))
  return /^flags:\s+\d*[0246]$/m.test(info ?? '')
}

function list(folder: string): readonly string[] | undefined {
  return attempt(() => readdirSync(folder))
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}

/**
 * Whether a descriptor was closed when this process began (`>&-`): node opens /dev/null in its place, for reading too, which a shell's `>/dev/null`
 * doesn't, and what is written there would count as taken. Known on Linux alone; false elsewhere.
 */
export function wasClosed(fd: number): boolean {
  const own = { process: 'self', number: String(fd) }
  return target(own) === '/dev/null' && reads(own)
}
