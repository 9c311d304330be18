import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { megabytes, roomFault } from '../../../kit/backup/room.ts'
import { type TarFile, writeTar } from '../../../kit/backup/tar.ts'
import { AppError, messageOf } from '../../../kit/errors.ts'
import { loadRoles } from '../../../roles/catalog.ts'
import { outputFile } from '../../session/output-file.ts'
import type { Session } from '../../session/session.ts'
import { VERSION } from '../../session/version.ts'
import { createStepProgress } from '../../terminal/progress.ts'
import { ownImage, readImage } from '../image-name.ts'
import { baseFiles, programFiles } from './image-files.ts'
import { blobPath, imageDocuments, type Layer } from './image-layout.ts'
import { architectureOf } from './program-file.ts'
import { sharedLibraries } from './shared-libraries.ts'

/** Flags of `msvc deploy image` as commander gives them. */
export interface ImageFlags {
  readonly force?: boolean
  readonly program?: string
  readonly tag?: string
}

/** Of blobs and documents in the file itself. */
const OPEN = 0o644

/**
 * `msvc deploy image <file>`: writes an image of this program, without a container engine: its libraries are this machine's.
 * Throws AppError `USAGE` for a program that is none and a place that can't be, `CONFLICT` for a file that is there, `START_FAILED` for libraries that aren't,
 * `DISK_FULL`.
 */
export async function writeImage(session: Session, file: string, flags: ImageFlags): Promise<void> {
  const { io, options, messages } = session
  const tag = readImage(flags.tag ?? ownImage(VERSION), VERSION, '--tag')
  const program = programOf(session, flags.program)
  const architecture = architectureOf(program)
  const output = outputFile(session, file, 'an image', { force: flags.force, mode: OPEN })
  const libraries = await sharedLibraries(program, architecture)
  const created = statSync(program).mtime
  const work = await mkdtemp(join(output.besides, '.msvc-image-')).catch((cause: unknown) => {
    throw new AppError('START_FAILED', `the image can't be written in ${output.besides}: ${messageOf(cause)}`, {
      cause,
    })
  })
  const progress = createStepProgress(io.err, options.quiet ?? false)
  try {
    const seconds = created.getTime() / 1_000
    const layers = [
      await writeLayer(baseFiles(libraries), 'its libraries', {
        work,
        seconds,
        show: progress.show,
        signal: io.signal,
      }),
      await writeLayer(programFiles(program), 'the program', { work, seconds, show: progress.show, signal: io.signal }),
    ]
    const ports = (await loadRoles()).filter(({ inUp }) => inUp !== false).map(({ port }) => port)
    const documents = imageDocuments({ tag, version: VERSION, architecture: architecture.name, created, ports, layers })
    const files = [...documents.map(textEntry), ...layers.map((layer) => layerEntry(layer, work))]
    await output.write(writeTar(files, seconds), work)
    progress.end()
    const size = layers.reduce((sum, { bytes }) => sum + bytes, 0)
    const told = `${tag} for linux/${architecture.name}, ${megabytes(size)}, user 10001`
    if (output.path === undefined) return messages.success(told)
    session.print(`${output.path}: ${told}`)
    session.printJson({
      file: output.path,
      tag,
      architecture: architecture.name,
      layers: layers.map(({ digest, bytes, what }) => ({ digest, bytes, what })),
    })
    messages.success(
      `next: docker load -i ${file} (or podman load -i ${file}, or skopeo copy docker-archive:${file} …)`,
    )
  } catch (fault) {
    throw roomFault(fault, output.besides)
  } finally {
    progress.end()
    await rm(work, { recursive: true, force: true })
  }
}

/** Throws AppError `USAGE` where this is no executable of its own, as when it runs from its sources. */
function programOf({ io }: Session, given: string | undefined): string {
  if (given !== undefined) return resolve(io.folder, given)
  const [program, ...more] = io.self
  if (more.length === 0) return program
  throw new AppError(
    'USAGE',
    'this msvc runs from its sources, and an image holds the executable: npm run build, and --program dist/msvc',
  )
}

interface LayerOptions {
  readonly work: string
  readonly seconds: number
  readonly show: (text: string) => void
  readonly signal: AbortSignal
}

/** Writes a layer into the folder, named by its digest. */
async function writeLayer(
  files: readonly TarFile[],
  what: string,
  { work, seconds, show, signal }: LayerOptions,
): Promise<Layer> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const fresh = join(work, 'layer')
  const inside = createHash('sha256')
  const outside = createHash('sha256')
  let done = 0
  let bytes = 0
  await pipeline(
    () => writeTar(files, seconds),
    through((chunk) => {
      inside.update(chunk)
      done += chunk.length
      show(`packing ${what}: ${Math.min(100, Math.round((done / total) * 100))} %`)
    }),
    createGzip(),
    through((chunk) => {
      outside.update(chunk)
      bytes += chunk.length
    }),
    createWriteStream(fresh),
    { signal },
  )
  const digest = `sha256:${outside.digest('hex')}`
  await rename(fresh, layerPath(work, digest))
  return { digest, diffId: `sha256:${inside.digest('hex')}`, bytes, what }
}

/** Looks at what passes. */
function through(look: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _, pass) {
      look(chunk)
      pass(null, chunk)
    },
  })
}

const layerPath = (work: string, digest: string) => join(work, digest.replace(':', '-'))

function layerEntry({ digest, bytes }: Layer, work: string): TarFile {
  return { name: blobPath(digest), mode: OPEN, bytes, read: () => createReadStream(layerPath(work, digest)) }
}

function textEntry({ path, text }: { readonly path: string; readonly text: string }): TarFile {
  const content = Buffer.from(text)
  return {
    name: path,
    mode: OPEN,
    bytes: content.length,
    async *read() {
      yield content
    },
  }
}
