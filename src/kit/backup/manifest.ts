import * as z from 'zod'
import { AppError } from '../errors.ts'
import { isNewer } from '../version-order.ts'

/** The name of the manifest in an archive, which it begins with. */
export const MANIFEST = 'manifest.json'
/** What this program writes, and the newest that it reads. */
export const FORMAT = 1
/** More than any manifest that was written here, bytes. */
export const MOST_MANIFEST_BYTES = 1_048_576

/** A database of the data folder, a key, or what tells of a move: nothing else, so that no name leads out of the folder that it is restored to. */
const PATH = /^(?:\w[\w.-]{0,127}\.db|keys\/\w[\w.-]{0,127}|migration\.json|cutover-[\w-]{1,128}\.json)$/

const StoredFile = z.object({
  path: z.string().regex(PATH),
  bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** What `PRAGMA integrity_check` said of the copy; of databases alone, and only what is whole is kept. */
  integrity: z.literal('ok').optional(),
})
/** A file in a backup. */
export type StoredFile = z.infer<typeof StoredFile>

/** What a backup says of itself. */
export const Manifest = z.object({
  format: z.literal(FORMAT),
  /** The version of msvc that made it. */
  msvc: z.string().regex(/^\d{1,9}\.\d{1,9}\.\d{1,9}/),
  /** The instant that it shows. */
  created_at: z.iso.datetime(),
  /** Milliseconds for which whatever writes was made to wait for it. */
  held_ms: z.number().min(0),
  files: z
    .array(StoredFile)
    .min(1)
    .max(1_000)
    .refine((files) => new Set(files.map(({ path }) => path)).size === files.length, {
      error: 'a file is in it twice',
    }),
})
export type Manifest = z.infer<typeof Manifest>

/**
 * Reads a manifest. Throws AppError `INVALID_BODY` for what is none, and for one of a newer version.
 * @param version of this program
 */
export function readManifest(text: string, version: string): Manifest {
  const json = parse(text)
  const { format, msvc } = z.looseObject({ format: z.int(), msvc: z.string() }).safeParse(json).data ?? {}
  if (format === undefined || msvc === undefined) throw new AppError('INVALID_BODY', 'it is no backup of msvc')
  if (format > FORMAT || isNewer(msvc, version)) {
    throw new AppError(
      'INVALID_BODY',
      `msvc ${msvc} made it, and this is ${version}: restore it with that one, or a newer`,
    )
  }
  const manifest = Manifest.safeParse(json)
  if (manifest.success) return manifest.data
  const [issue] = manifest.error.issues
  throw new AppError('INVALID_BODY', `its manifest is wrong at ${issue?.path.join('.')}: ${issue?.message}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
