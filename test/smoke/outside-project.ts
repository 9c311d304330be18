import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import manifest from '../../package.json' with { type: 'json' }

const root = join(import.meta.dirname, '../..')
const execute = promisify(execFile)

/** Somebody's own project, far from this repository, with the package installed and the programs of docs/kit.md in it. */
export interface OutsideProject {
  readonly folder: string
  /** Names of its programs. */
  readonly programs: readonly string[]
  /** Starts one of them; resolves when it says that it is ready, rejects with what it said when it ends before. */
  start(program: string, environment?: Readonly<Record<string, string>>): Promise<StartedProgram>
  /** Runs node in it to the end; rejects unless it ends with 0. */
  node(...args: readonly string[]): Promise<string>
  /** Ends what was started, and takes all away. */
  remove(): void
}

/** A program of the project. */
export interface StartedProgram {
  readonly url: string
  /** What it wrote to stderr so far. */
  said(): string
  /** Sends a signal; resolves with the exit code, or the signal it died of. */
  end(signal: NodeJS.Signals): Promise<number | string>
}

/** Builds the package, and installs it into a project. */
export async function createOutsideProject(): Promise<OutsideProject> {
  await execute(process.execPath, [join(root, 'build/package.ts')])
  const folder = mkdtempSync(join(tmpdir(), 'msvc-outside-'))
  const page = readFileSync(join(root, 'docs/kit.md'), 'utf8')
  const programs = [...page.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map(([, name = '', text = '']) => {
    writeFileSync(join(folder, name), text)
    return name
  })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'shop', private: true, type: 'module' }))
  const compilerOptions = {
    target: 'esnext',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    types: ['node'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const tarball = join(root, 'dist', `msvc-${manifest.version}.tgz`)
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  await execute(npm, ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], { cwd: folder })

  const children: ChildProcess[] = []
  const { PATH } = process.env
  const node = async (...args: readonly string[]) =>
    (await execute(process.execPath, args, { cwd: folder, env: { PATH, HOME: folder } })).stdout

  async function start(program: string, environment: Readonly<Record<string, string>> = {}): Promise<StartedProgram> {
    const env = { PATH, HOME: folder, ...environment }
    const child = spawn(process.execPath, [program], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
    children.push(child)
    const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
    let said = ''
    const ready = new Promise<string>((resolve) => {
      createInterface(child.stderr).on('line', (line) => {
        said += `${line}\n`
        const [, url] = /"message":"\S+ ready at (http:[^",]+)/.exec(line) ?? []
        if (url !== undefined) resolve(url)
      })
    })
    const url = await Promise.race([
      ready,
      ended.then((code) => Promise.reject(new Error(`${program}: ${code}\n${said}`))),
    ])
    return {
      url,
      said: () => said,
      end(signal) {
        child.kill(signal)
        return ended
      },
    }
  }

  return {
    folder,
    programs,
    start,
    node,
    remove() {
      for (const child of children) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
