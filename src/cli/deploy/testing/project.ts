import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { run } from '../../run.ts'
import type { Io, Terminal } from '../../terminal/io.ts'
import { QUIET, quietIo } from '../../terminal/testing/quiet-io.ts'

/** What a command line said, how it ended, and what it asked. */
interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly asked: readonly string[]
}

/** The file of `msvc deploy compose`. */
export const COMPOSE = 'deploy/compose/compose.yaml'

/** A folder of a test's own, in which `msvc deploy` is run. */
interface Project {
  /** The absolute path of what lies there. */
  at(path: string): string
  text(path: string): string
  /** Puts a text into a file, one that can't be written too. */
  put(path: string, words: string): void
  /** Has msvc.yaml say this. */
  configure(yaml: string): void
  /** Makes a deployment of which a person has changed a file, and of which something else is proposed by now. */
  disputed(): Promise<void>
  /** Every file below a folder, by the path from there. */
  tree(path: string): Readonly<Record<string, string>>
  /**
   * Runs `msvc deploy`.
   * @param answers what a person at the terminal says to one question after the other; nobody is there without
   * @param isSeen whether stdout is that terminal too. Default true
   */
  deploy(args: readonly string[], answers?: readonly string[], isSeen?: boolean): Promise<Said>
  /** A process of a person's, as `deploy` runs in. */
  person(answers?: readonly string[], isSeen?: boolean): Person
}

/** A process, what it says and what it asks. */
interface Person {
  readonly io: Io
  readonly said: { out: string; err: string }
  readonly asked: readonly string[]
}

/** A project for each test of a file: made before it, and taken away after it. */
export function projectForEach(): Project {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'msvc-deploy-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const at = (path: string) => join(folder, path)
  const configure = (yaml: string) => writeFileSync(at('msvc.yaml'), yaml)
  const person: Project['person'] = (answers, isSeen = true) => personIn(folder, isSeen, answers)
  const deploy: Project['deploy'] = async (args, answers, isSeen) => {
    const { io, said, asked } = person(answers, isSeen)
    const code = await run(['deploy', ...args], io)
    return { code, ...said, asked }
  }
  return {
    at,
    text: (path) => readFileSync(at(path), 'utf8'),
    put(path, words) {
      rmSync(at(path), { force: true })
      writeFileSync(at(path), words)
    },
    configure,
    async disputed() {
      await deploy(['compose'])
      appendFileSync(at(COMPOSE), '# mine\n')
      configure('drain_seconds: 7\n')
    },
    tree(path) {
      const files = readdirSync(at(path), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      const paths = files.map((entry) => join(entry.parentPath, entry.name))
      return Object.fromEntries(paths.map((whole) => [whole.slice(at(path).length + 1), readFileSync(whole, 'utf8')]))
    },
    deploy,
    person,
  }
}

function personIn(folder: string, isSeen: boolean, answers: readonly string[] | undefined): Person {
  const said = { out: '', err: '' }
  const asked: string[] = []
  const left = [...(answers ?? [])]
  const terminal = (name: 'out' | 'err'): Terminal => ({
    ...QUIET,
    isTTY: answers !== undefined && isSeen,
    write: (words) => {
      said[name] += words
    },
  })
  const ask = async (question: string) => {
    asked.push(question)
    return left.shift() ?? ''
  }
  const io = quietIo(folder, { out: terminal('out'), err: terminal('err'), ...(answers && { ask }) })
  return { io, said, asked }
}
