// What V8 has compiled of the program, kept beside an artefact, so that somebody else builds the same bytes: which functions that are depends on how
// fast the rehearsals ran (docs/decisions/15-same-bytes.md).
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import * as z from 'zod'
import { AppError, messageOf } from '../src/kit/errors.ts'
import { fileOfTar, type Packed, tarGz } from './archives.ts'
import type { Program } from './compiled-program.ts'
import { NODE_VERSION, type TargetName } from './targets.ts'

/** What a profile says of itself. */
const Profile = z.strictObject({
  target: z.string(),
  node: z.string(),
  /** SHA-256 of the bundle it was made of: V8 itself would compare no more than its length. */
  program: z.string(),
  /** Names of what was compiled, as `loader` asks for them. */
  compiled: z.array(z.string().regex(/^[a-z-]+$/)),
})

const ABOUT = 'profile.json'
const BUNDLES = ['program', 'clients']
const sumOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Packs what was compiled for a target. @param time of its files, seconds since 1970 */
export async function packProfile({ assets }: Program, target: TargetName, time: number): Promise<Buffer> {
  const compiled = Object.keys(assets).filter((name) => !BUNDLES.includes(name))
  const program = sumOf(await readFile(assets.program ?? ''))
  const about: z.infer<typeof Profile> = { target, node: NODE_VERSION, program, compiled }
  const file = (path: string, bytes: Buffer): Packed => ({ path, bytes, isExecutable: false })
  const files = await Promise.all(compiled.map(async (name) => file(name, await readFile(assets[name] ?? ''))))
  return tarGz([file(ABOUT, Buffer.from(`${JSON.stringify(about, null, 2)}\n`)), ...files], time)
}

async function read(path: string): Promise<{ readonly tar: Buffer; readonly about: z.infer<typeof Profile> }> {
  const tar = await promisify(gunzip)(await readFile(path))
  return { tar, about: Profile.parse(JSON.parse((await fileOfTar(tar, ABOUT))?.toString() ?? 'null')) }
}

/**
 * Adds to bundles what an earlier build has compiled of them.
 * @param path of the profile
 * @param folder where its files go
 * @throws AppError UNPROCESSABLE for a profile that can't be read, or is of another target, Node or state of the sources
 */
export async function withProfile(
  { assets, inputs }: Program,
  { path, target, folder }: { readonly path: string; readonly target: TargetName; readonly folder: string },
): Promise<Program> {
  const refuse = (why: string, cause?: unknown) =>
    new AppError('UNPROCESSABLE', `${target} can't be built by ${basename(path)}: ${why}`, { cause })
  const { tar, about } = await read(path).catch((fault: unknown) => {
    throw refuse(`it can't be read: ${messageOf(fault)}`, fault)
  })
  const { program, node, target: ofTarget, compiled } = about
  if (ofTarget !== target || node !== NODE_VERSION) throw refuse(`it is for ${ofTarget} with Node ${node}`)
  if (program !== sumOf(await readFile(assets.program ?? ''))) throw refuse('it is of other sources')
  await mkdir(folder, { recursive: true })
  const written = compiled.map(async (name) => {
    const bytes = await fileOfTar(tar, name)
    if (!bytes) throw refuse(`${name} is missing in it`)
    await writeFile(join(folder, `compiled-${name}`), bytes)
    return [name, join(folder, `compiled-${name}`)] as const
  })
  return { assets: { ...assets, ...Object.fromEntries(await Promise.all(written)) }, inputs }
}
