import { resolve } from 'node:path'
import { megabytes, roomFault } from '../../../kit/backup/room.ts'
import { writeTar } from '../../../kit/backup/tar.ts'
import { makeWorkFolder } from '../../../kit/backup/work-folder.ts'
import { AppError, messageOf } from '../../../kit/errors.ts'
import { loadRoles } from '../../../roles/catalog.ts'
import { outputFile } from '../../session/output-file.ts'
import type { Session } from '../../session/session.ts'
import { VERSION } from '../../session/version.ts'
import { createStepProgress } from '../../terminal/progress.ts'
import { ownImage, readImage } from '../image-name.ts'
import { baseFiles, programFiles, READABLE, textFile } from './image-files.ts'
import { imageDocuments } from './image-layout.ts'
import { layerFile, packLayer } from './layers.ts'
import { architectureOf, versionOf } from './program-file.ts'
import { sharedLibraries } from './shared-libraries.ts'

/** Flags of `msvc deploy image` as commander gives them. */
export interface ImageFlags {
  readonly force?: boolean
  readonly program?: string
  readonly tag?: string
}

/**
 * `msvc deploy image <file>`: writes an image of this program, without a container engine: its libraries are this machine's.
 * Throws AppError `USAGE` for a program that is none and a place that can't be, `CONFLICT` for a file that is there, `START_FAILED` for libraries that aren't,
 * `DISK_FULL`.
 */
export async function writeImage(session: Session, file: string, flags: ImageFlags): Promise<void> {
  const { io, options, messages } = session
  const program = programOf(session, flags.program)
  const architecture = architectureOf(program)
  const output = outputFile(session, file, 'an image', { force: flags.force, mode: READABLE })
  const libraries = await sharedLibraries(program, architecture)
  const version = flags.program === undefined ? VERSION : await versionOf(program)
  const tag = readImage(flags.tag ?? ownImage(version), version, '--tag')
  const seconds = sourceDate(io.environment.SOURCE_DATE_EPOCH)
  const work = await makeWorkFolder(output.besides, '.msvc-image-').catch((cause: unknown) => {
    throw new AppError('START_FAILED', `the image can't be written in ${output.besides}: ${messageOf(cause)}`, {
      cause,
    })
  })
  const progress = createStepProgress(io.err, options.quiet ?? false)
  try {
    const packing = { work: work.path, seconds, show: progress.show, signal: io.signal }
    const layers = [
      await packLayer(baseFiles(libraries), 'its libraries', packing),
      await packLayer(programFiles(program), 'the program', packing),
    ]
    const ports = (await loadRoles()).filter(({ inUp }) => inUp !== false).map(({ port }) => port)
    const created = new Date(seconds * 1_000)
    const documents = imageDocuments({ tag, version, architecture: architecture.name, created, ports, layers })
    const files = [
      ...documents.map(({ path, text }) => textFile(path, text)),
      ...layers.map((layer) => layerFile(layer, work.path)),
    ]
    await output.write(writeTar(files, seconds), work.path)
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
    await work.remove()
  }
}

/**
 * When the image says that it was made, seconds since 1970: the same program makes the same image, whenever and wherever it was copied to
 * (https://reproducible-builds.org/docs/source-date-epoch/). Throws AppError `USAGE` for what is no time.
 */
function sourceDate(text = '0'): number {
  if (/^\d{1,11}$/.test(text)) return Number(text)
  throw new AppError('USAGE', `SOURCE_DATE_EPOCH wants seconds since 1970, not ${text}`)
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
