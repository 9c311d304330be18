import { resolve } from 'node:path'
import { systemClock } from '../../drivers/clock.ts'
import { readArchive } from '../../kit/backup/archive.ts'
import type { Manifest } from '../../kit/backup/manifest.ts'
import { restore } from '../../kit/backup/restore.ts'
import { megabytes } from '../../kit/backup/room.ts'
import { configure } from '../session/configuration.ts'
import type { Session } from '../session/session.ts'
import { VERSION } from '../session/version.ts'
import { createMessages } from '../terminal/messages.ts'
import { createStepProgress } from '../terminal/progress.ts'

/** Flags of `msvc restore` as commander gives them. */
export interface RestoreFlags {
  readonly check?: boolean
  readonly force?: boolean
  readonly keepIds?: boolean
}

/** Puts a backup back, or with `--check` only looks whether it could be. Throws what `restore` and `readArchive` throw. */
export async function putBack(session: Session, name: string, flags: RestoreFlags): Promise<void> {
  const { io, options } = session
  const file = resolve(io.folder, name)
  const common = { version: VERSION, signal: io.signal }
  const progress = createStepProgress(io.err, options.quiet ?? false)
  const messages = createMessages(progress.above, options.quiet ?? false)
  try {
    if (flags.check) {
      progress.show(`checking ${name}`)
      const manifest = await readArchive(file, common)
      progress.end()
      session.print(`${name} is whole: ${sizeOf(manifest)}, as of ${manifest.created_at}, by msvc ${manifest.msvc}`)
      session.printJson({ ok: true, file, ...manifest })
      return
    }
    const { settings } = await configure(session, { runs: false })
    const { data } = settings
    const { force = false, keepIds = false } = flags
    const put = { file, data, force, keepIds, clock: systemClock, onProgress: progress.show }
    const { manifest, aside, skippedIds } = await restore({ ...common, ...put })
    progress.end()
    session.print(`${data} is what it was at ${manifest.created_at}: ${sizeOf(manifest)}`)
    if (skippedIds > 0) {
      messages.info(`${skippedIds} ids are left out, which may have been given out since; --keep-ids leaves out none.`)
    }
    if (aside !== undefined) messages.info(`What was there before is in ${aside}`)
    session.printJson({ ok: true, data, ...manifest, skipped_ids: skippedIds, ...(aside !== undefined && { aside }) })
  } finally {
    progress.end()
  }
}

function sizeOf({ files }: Manifest): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return `${files.length} files, ${megabytes(bytes)}`
}
