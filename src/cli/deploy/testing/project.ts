import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../run.ts'
import type { Io, Terminal } from '../../terminal/io.ts'

/** What a command line said, how it ended, and what it asked. */
interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly asked: readonly string[]
}

/** A folder of a test's own, in which `msvc deploy` is run. */
export interface Project {
  readonly folder: string
  /** The absolute path of what lies there. */
  at(path: string): string
  text(path: string): string
  /** Puts a text into a file, one that can't be written too. */
  put(path: string, words: string): void
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
  remove(): void
}

/** A process, what it says and what it asks. */
interface Person {
  readonly io: Io
  readonly said: { out: string; err: string }
  readonly asked: readonly string[]
}

/** Makes one. */
export function createProject(): Project {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-deploy-'))
  const at = (path: string) => join(folder, path)
  const person: Project['person'] = (answers, isSeen = true) => personIn(folder, isSeen, answers)
  return {
    folder,
    at,
    text: (path) => readFileSync(at(path), 'utf8'),
    put(path, words) {
      rmSync(at(path), { force: true })
      writeFileSync(at(path), words)
    },
    tree(path) {
      const files = readdirSync(at(path), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      const paths = files.map((entry) => join(entry.parentPath, entry.name))
      return Object.fromEntries(paths.map((whole) => [whole.slice(at(path).length + 1), readFileSync(whole, 'utf8')]))
    },
    async deploy(args, answers, isSeen) {
      const { io, said, asked } = person(answers, isSeen)
      const code = await run(['deploy', ...args], io)
      return { code, ...said, asked }
    },
    person,
    remove: () => rmSync(folder, { recursive: true }),
  }
}

function personIn(folder: string, isSeen: boolean, answers: readonly string[] | undefined): Person {
  const said = { out: '', err: '' }
  const asked: string[] = []
  const left = [...(answers ?? [])]
  const terminal = (name: 'out' | 'err'): Terminal => ({
    isTTY: answers !== undefined && isSeen,
    colour: false,
    columns: 80,
    rows: 24,
    write: (words) => {
      said[name] += words
    },
  })
  const io: Io = {
    out: terminal('out'),
    err: terminal('err'),
    outputTaken: async () => {},
    writeBytes: async () => {},
    outputClosed: false,
    outputLost: new AbortController().signal,
    readInput: async () => '',
    licences: async () => '',
    environment: {},
    ownVariables: {},
    folder,
    pid: process.pid,
    self: ['msvc'],
    signal: new AbortController().signal,
    leaving: new AbortController().signal,
    settled: () => {},
    leaveInterruptsToParent: () => {},
    ...(answers && {
      ask: async (question: string) => {
        asked.push(question)
        return left.shift() ?? ''
      },
    }),
  }
  return { io, said, asked }
}
