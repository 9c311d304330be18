// Brings the Node that goes into a target, from npm, and takes none but the one that targets.ts pins.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { AppError, messageOf } from '../src/kit/errors.ts'
import { fileOfTar } from './archives.ts'
import { NODE_VERSION, type Target } from './targets.ts'

/** Node for a target. */
export interface NodePackage {
  readonly executable: Buffer
  /** Its licence with those of all it is made of; undefined where the package holds none. */
  readonly licence: string | undefined
}

/**
 * Node from its package on npm; kept in a cache below node_modules, and compared with its sum each time.
 * @param root the repository's folder
 * @throws AppError UNAVAILABLE when npm can't bring it, UNPROCESSABLE when it is another one than was pinned: it is taken out of the cache
 */
export async function nodePackage(root: string, target: Target): Promise<NodePackage> {
  const cache = join(root, 'node_modules/.cache/msvc')
  const path = join(cache, `${target.package}-${NODE_VERSION}.tgz`)
  const archive = await readFile(path).catch(() => download(target, cache, path))
  const sum = `sha512-${createHash('sha512').update(archive).digest('base64')}`
  if (sum !== target.integrity) {
    await rm(path)
    const found = `${target.package}@${NODE_VERSION} is ${sum}, not ${target.integrity} as build/targets.ts wants it`
    throw new AppError('UNPROCESSABLE', `${target.name} can't be built: ${found}`)
  }
  const files = await promisify(gunzip)(archive)
  const executable = await fileOfTar(files, `package/${target.node}`)
  if (!executable)
    throw new AppError('UNPROCESSABLE', `${target.name} can't be built: ${target.package} has no ${target.node}`)
  return { executable, licence: (await fileOfTar(files, 'package/LICENSE'))?.toString() }
}

async function download(target: Target, cache: string, path: string): Promise<Buffer> {
  await mkdir(cache, { recursive: true })
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const wanted = `${target.package}@${NODE_VERSION}`
  const options = { shell: process.platform === 'win32' }
  try {
    await promisify(execFile)(npm, ['pack', wanted, '--silent', '--pack-destination', cache], options)
    return await readFile(path)
  } catch (fault) {
    const why = /npm (?:error|ERR!) (?!code)(.*)/.exec(messageOf(fault))?.[1] ?? 'is the registry reached?'
    throw new AppError('UNAVAILABLE', `${target.name} can't be built: npm can't bring ${wanted}: ${why}`, {
      cause: fault,
    })
  }
}
