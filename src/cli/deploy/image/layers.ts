import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { type TarFile, writeTar } from '../../../kit/backup/tar.ts'
import { READABLE } from './image-files.ts'
import { blobPath, type Layer } from './image-layout.ts'

/** Where a layer is packed, and by what. */
export interface Packing {
  /** A folder of its own. */
  readonly work: string
  /** When its files were changed last, seconds since 1970. */
  readonly seconds: number
  readonly show: (text: string) => void
  readonly signal: AbortSignal
}

/** Packs files as a layer into the folder, named by its digest. @param what it brings */
export async function packLayer(
  files: readonly TarFile[],
  what: string,
  { work, seconds, show, signal }: Packing,
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
  await rename(fresh, placeOf(work, digest))
  return { digest, diffId: `sha256:${inside.digest('hex')}`, bytes, what }
}

/** A packed layer as it stands in an image. @param work the folder that it was packed into */
export function layerFile({ digest, bytes }: Layer, work: string): TarFile {
  return { name: blobPath(digest), mode: READABLE, bytes, read: () => createReadStream(placeOf(work, digest)) }
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

const placeOf = (work: string, digest: string) => join(work, digest.replace(':', '-'))
