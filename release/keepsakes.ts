// What each released version leaves for the tests of those that follow: its program, and a data folder that it has filled.
import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants } from 'node:zlib'
import { loader, makeProgram } from '../build/compiled-program.ts'
import { type Filling, fillFolder } from './filled-folder.ts'

const run = promisify(execFile)

/** The files beside release.json, each compressed (.br). */
const FILES = ['program.cjs', 'clients.cjs', 'data.tar', 'backup.tar.gz'] as const
type Name = (typeof FILES)[number]

/** A released version, as its release.json says. */
export interface Release {
  readonly version: string
  /** The commit that it was made of. */
  readonly commit: string
  /** SHA-256 of each file, unpacked. */
  readonly sha256: Readonly<Record<Name, string>>
  readonly filling: Filling
}

/** Makes the program of these sources, fills a data folder with it, and keeps both in `<folder>/<version>`. */
export async function keepRelease(
  folder: string,
  { version, commit }: Pick<Release, 'version' | 'commit'>,
): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'msvc-release-'))
  try {
    const { assets } = await makeProgram(work)
    const main = join(work, 'msvc.cjs')
    await writeFile(main, scriptOf(work))
    const place = join(work, 'filled')
    await mkdir(place)
    const filling = await fillFolder(main, place)
    const owners = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0']
    await run('tar', [...owners, '-cf', join(work, 'data.tar'), '-C', place, 'data'])
    const paths: Readonly<Record<Name, string>> = {
      'program.cjs': assets.program ?? '',
      'clients.cjs': assets.clients ?? '',
      'data.tar': join(work, 'data.tar'),
      'backup.tar.gz': join(place, 'backup.tar.gz'),
    }
    const kept = join(folder, version)
    await mkdir(kept, { recursive: true })
    const sums = await Promise.all(FILES.map(async (name) => [name, await pack(paths[name], join(kept, `${name}.br`))]))
    const release = { version, commit, sha256: Object.fromEntries(sums), filling }
    await writeFile(join(kept, 'release.json'), `${JSON.stringify(release, undefined, 2)}\n`)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Unpacks a kept release into a folder that exists; gives what it says, and its program, a script for node. Rejects with an Error when a file isn't what was kept. */
export async function unpackRelease(kept: string, folder: string): Promise<Release & { readonly program: string }> {
  const release: Release = JSON.parse(await readFile(join(kept, 'release.json'), 'utf8'))
  for (const name of FILES) {
    const bytes = await promisify(brotliDecompress)(await readFile(join(kept, `${name}.br`)))
    if (hash('sha256', bytes) !== release.sha256[name]) throw new Error(`${kept}: ${name} is not what was kept`)
    await writeFile(join(folder, name), bytes)
  }
  await run('tar', ['-xf', join(folder, 'data.tar'), '-C', folder])
  const program = join(folder, 'msvc.cjs')
  await writeFile(program, scriptOf(folder))
  return { ...release, program }
}

/** The script that runs the two bundles in a folder, program.cjs and clients.cjs; V8 compiles them at each start. */
export function scriptOf(folder: string): string {
  const files = JSON.stringify({ program: join(folder, 'program.cjs'), clients: join(folder, 'clients.cjs') })
  const asset = `(name) => name in files ? require('node:fs').readFileSync(files[name]) : undefined`
  return `const files = ${files}\n${loader({ assets: {}, inputs: [] }, asset)}`
}

/** Gives the SHA-256 of what was packed. */
async function pack(from: string, to: string): Promise<string> {
  const bytes = await readFile(from)
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
  await writeFile(to, await promisify(brotliCompress)(bytes, { params }))
  return hash('sha256', bytes)
}
