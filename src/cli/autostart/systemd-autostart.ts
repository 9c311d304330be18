import { constants } from 'node:fs'
import { access, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../../kit/errors.ts'
import { isRecord } from '../../kit/record.ts'
import type { Autostart, Run } from './autostart.ts'
import { platformUnit, UNIT_FOLDER, WRITTEN_BY } from './platform-unit.ts'

/** Of what a platform said that doesn't start. */
const LAST_LINES = 8

/** Units in the administrator's folder. @param folder where they are */
export function systemd(run: Run, folder = UNIT_FOLDER): Autostart {
  const pathOf = (name: string) => join(folder, `${name}.service`)
  const quietly = (...words: [string, ...string[]]) => run(...words).catch(() => '')

  function refused(fault: unknown): AppError {
    if (fault instanceof AppError) return fault
    const code = isRecord(fault) ? fault.code : undefined
    if (code === 'EACCES' || code === 'EPERM')
      return new AppError(
        'USAGE',
        `only root may write to ${folder}: run it by sudo, and --user says who runs the platform`,
        {
          cause: fault,
        },
      )
    return new AppError('START_FAILED', `${folder} can't be written: ${messageOf(fault)}`, { cause: fault })
  }
  const taken = (where: string) =>
    new AppError(
      'CONFLICT',
      `${where} is there already; msvc service uninstall takes it away, or choose another --name`,
    )

  /** Its text, if there is one. */
  async function textOf(name: string): Promise<string> {
    return readFile(pathOf(name), 'utf8').catch((cause: unknown) => {
      throw new AppError('NOT_FOUND', `there is no ${pathOf(name)}; msvc service install makes one`, { cause })
    })
  }

  async function takeAway(name: string) {
    await quietly('systemctl', 'disable', '--now', `${name}.service`)
    await unlink(pathOf(name))
    await run('systemctl', 'daemon-reload')
    await quietly('systemctl', 'reset-failed', `${name}.service`)
  }

  async function lastWords(name: string, since: number): Promise<string> {
    await quietly('journalctl', '--sync')
    const words = [
      '--unit',
      `${name}.service`,
      `--since=@${since}`,
      `--lines=${LAST_LINES}`,
      '--output=cat',
      '--no-pager',
    ]
    return quietly('journalctl', ...words)
  }

  return {
    async install(plan) {
      const { name, user } = plan
      const path = pathOf(name)
      const text = platformUnit(plan)
      await run('id', '-u', '--', user).catch((cause: unknown) => {
        throw new AppError('USAGE', `there is no user ${user} here; --user names one that is`, { cause })
      })
      const state = await run('systemctl', 'show', '--property=LoadState', '--value', `${name}.service`)
      // one of the system's own would be replaced by it
      if (state !== 'not-found') throw taken(`${name}.service`)
      await writeFile(path, text, { flag: 'wx', mode: 0o644 }).catch((fault: unknown) => {
        throw isRecord(fault) && fault.code === 'EEXIST' ? taken(path) : refused(fault)
      })
      const since = Math.floor(Date.now() / 1_000)
      try {
        await run('systemctl', 'daemon-reload')
        // comes back when it is ready
        await run('systemctl', 'enable', '--now', `${name}.service`)
      } catch (cause) {
        const said = await lastWords(name, since)
        await takeAway(name)
        const why = said === '' ? messageOf(cause) : said.replaceAll('\n', '\n  ')
        throw new AppError('START_FAILED', `the platform doesn't start, and ${path} is taken away again:\n  ${why}`, {
          cause,
        })
      }
      return {
        where: path,
        says: await run('systemctl', 'show', '--property=StatusText', '--value', `${name}.service`),
      }
    },
    async uninstall(name) {
      const text = await textOf(name)
      if (!text.startsWith(`# ${WRITTEN_BY}`))
        throw new AppError('CONFLICT', `${pathOf(name)} was not written by msvc service install; take it away by hand`)
      try {
        await access(folder, constants.W_OK)
        await takeAway(name)
      } catch (fault) {
        throw refused(fault)
      }
    },
    async status(name) {
      await textOf(name)
      return run('systemctl', 'show', '--property=ActiveState,SubState,StatusText,MainPID,NRestarts', `${name}.service`)
    },
  }
}
