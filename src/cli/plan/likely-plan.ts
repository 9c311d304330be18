import { closeSync, readSync } from 'node:fs'
import { openRegularFile } from '../../drivers/regular-file.ts'

/** As much of a file is looked at, bytes: what stands further down is found when it is parsed. */
const MOST_BYTES = 65_536
const SERVICES = /^services:/m
const RUN = /\brun:/
/** The section with its lines, in either of YAML's styles. */
const UP = /^up:.*(?:\n(?:[ \t]+.*|[ \t]*))*/m
const IN_PROCESS = /\bin_process:[ \t]*true\b/
const WITHOUT = /\bwithout:\s*(?:\[([^\]]*)\]|((?:\s*- .*)+))/

/** What a configuration file seems to say of a platform's start. */
export interface LikelyPlan {
  /** Whether there are services to be run here. */
  readonly runsServices: boolean
  /** `up.in_process`. */
  readonly inProcess: boolean
  /** `up.without`. */
  readonly without: readonly string[]
}

/**
 * What a configuration seems to say of a platform's start. It is a guess, made in less than a millisecond by the file's text alone: what it needs is launched
 * by it while the file is parsed, and dismissed where it was wrong. Never throws.
 * @param path the YAML file, absolute; undefined for none
 */
export function likelyPlan(path: string | undefined): LikelyPlan {
  const text = path === undefined ? '' : beginningOf(path)
  const [up = ''] = UP.exec(text) ?? []
  const [, inline = '', list = inline] = WITHOUT.exec(up) ?? []
  return {
    runsServices: SERVICES.test(text) && RUN.test(text),
    inProcess: IN_PROCESS.test(up),
    without: list.match(/[a-z][\w-]*/g) ?? [],
  }
}

/** Empty where it can't be read, of which whoever parses it tells. */
function beginningOf(path: string): string {
  try {
    const file = openRegularFile(path)
    return file === undefined ? '' : textOf(file)
  } catch {
    return ''
  }
}

function textOf(file: number): string {
  try {
    const bytes = Buffer.alloc(MOST_BYTES)
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, MOST_BYTES, 0))
  } finally {
    closeSync(file)
  }
}
