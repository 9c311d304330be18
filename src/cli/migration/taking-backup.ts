import { systemClock } from '../../drivers/clock.ts'
import { backUp } from '../../kit/backup/back-up.ts'
import type { StoredFile } from '../../kit/backup/manifest.ts'
import { megabytes } from '../../kit/backup/room.ts'
import { type ServerTool, serverTools } from '../../kit/backup/server-tools.ts'
import { AppError } from '../../kit/errors.ts'
import { configure, requireDataFolder } from '../session/configuration.ts'
import { outputFile } from '../session/output-file.ts'
import { readRunStates } from '../session/run-state.ts'
import type { Session } from '../session/session.ts'
import { VERSION } from '../session/version.ts'
import { whereabouts } from '../session/whereabouts.ts'
import { createMessages } from '../terminal/messages.ts'
import { createStepProgress } from '../terminal/progress.ts'

/** Flags of `msvc backup` as commander gives them. */
export interface BackupFlags {
  readonly force?: boolean
  readonly partial?: boolean
}

/**
 * Backs a platform up. Throws AppError `USAGE` for a place that can't be, `CONFLICT` for what lies on a server and for a file that is there, and what
 * `backUp` throws.
 */
export async function takeBackup(session: Session, file: string, flags: BackupFlags): Promise<void> {
  const { io, options } = session
  const { settings, sections } = await configure(session, { runs: false })
  requireDataFolder(settings.data)
  const running = await readRunStates(settings.data)
  const tools = serverTools(whereabouts(settings, running))
  if (tools.some(({ backend }) => backend !== 'cache') && !flags.partial) throw onServers(tools, settings.data)
  const output = outputFile(session, file, 'a backup', { force: flags.force })
  const progress = createStepProgress(io.err, options.quiet ?? false)
  const messages = createMessages(progress.above, options.quiet ?? false)
  try {
    const { files, ...told } = await backUp({
      data: settings.data,
      work: output.besides,
      version: VERSION,
      clock: systemClock,
      signal: io.signal,
      onProgress: progress.show,
      send: output.write,
    })
    progress.end()
    const bytes = files.reduce((sum, one) => sum + one.bytes, 0)
    const size = `${files.length} files, ${megabytes(bytes)} unpacked`
    const waited = `what writes waited ${told.held_ms} ms`
    const text = `${settings.data} is backed up as of ${told.created_at}: ${size}; ${waited}`
    if (output.path === undefined) messages.success(text)
    else session.print(text)
    const powers = powersOf(files)
    if (powers.length > 0) messages.info(`It holds the keys of the platform: who reads it can ${powers.join(' and ')}.`)
    const signing = running.find(({ auth }) => auth.key_file !== undefined)?.auth.key_file ?? settings.auth.key_file
    for (const path of [signing, sections['config-server']?.key_file])
      if (typeof path === 'string') messages.warn(`the keys in ${path} are not in it; keep a copy of that file too`)
    for (const { backend, url, commands } of tools) {
      messages.warn(`the ${backend} at ${url} is not in it; back it up by: ${commands.join(', or: ')}`)
    }
    if (output.path !== undefined) session.printJson({ file: output.path, ...told, files })
  } finally {
    progress.end()
  }
}

/** What whoever reads a backup can do by the keys in it. */
function powersOf(files: readonly StoredFile[]): readonly string[] {
  const holds = (form: RegExp) => files.some(({ path }) => form.test(path))
  return [
    ...(holds(/^keys\/.+\.json$/) ? ['sign tokens'] : []),
    ...(holds(/^keys\/.+\.key$/) ? ['open sealed values'] : []),
  ]
}

function onServers(tools: readonly ServerTool[], data: string): AppError {
  const lines = tools.map(
    ({ backend, url, commands }) =>
      `the ${backend} is on a server, ${url}, whose own tool backs it up: ${commands.join(', or: ')}`,
  )
  const rest = `what ${data} holds, such as the keys, is backed up with --partial`
  return new AppError('CONFLICT', [...lines, rest].join('\n'))
}
