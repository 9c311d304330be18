import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../kit/errors.ts'
import type { Autostart, Run } from './autostart.ts'
import { dataOfTask, windowsTask } from './windows-task.ts'

/** Tasks of Windows' scheduler. @param self this program, by which a platform is told to end */
export function taskScheduler(run: Run, self: readonly string[]): Autostart {
  const [program = '', ...own] = self
  const quietly = (...words: [string, ...string[]]) => run(...words).catch(() => '')

  /** What it says of why it doesn't find one is in the system's language, so all of them are looked through. */
  async function isThere(name: string): Promise<boolean> {
    const tasks = await run('schtasks', '/query', '/fo', 'csv', '/nh')
    return tasks.split(/\r?\n/).some((line) => line.toLowerCase().startsWith(`"\\${name.toLowerCase()}",`))
  }
  async function wanted(name: string) {
    if (await isThere(name)) return
    throw new AppError('NOT_FOUND', `there is no task ${name}; msvc service install makes one`)
  }
  return {
    async install(plan) {
      if (await isThere(plan.name))
        throw new AppError(
          'CONFLICT',
          `there is a task ${plan.name} already; msvc service uninstall takes it away, or choose another --name`,
        )
      const file = join(tmpdir(), `${plan.name}-task-${process.pid}.xml`)
      try {
        // the one encoding that schtasks takes for sure
        await writeFile(file, `\ufeff${windowsTask(plan)}`, { encoding: 'utf16le', flag: 'wx' })
        await run('schtasks', '/create', '/tn', plan.name, '/xml', file)
      } finally {
        await rm(file, { force: true })
      }
      try {
        await run('schtasks', '/run', '/tn', plan.name)
      } catch (cause) {
        await quietly('schtasks', '/delete', '/tn', plan.name, '/f')
        throw cause
      }
      return { where: `the task ${plan.name}` }
    },
    async uninstall(name) {
      await wanted(name)
      const data = dataOfTask(await run('schtasks', '/query', '/tn', name, '/xml'))
      // in order; /end kills what is left, and /delete alone would let it run
      if (data !== undefined) await quietly(program, ...own, '--data', data, 'down')
      await quietly('schtasks', '/end', '/tn', name)
      await run('schtasks', '/delete', '/tn', name, '/f')
    },
    async status(name) {
      await wanted(name)
      return run('schtasks', '/query', '/tn', name, '/fo', 'list')
    },
  }
}
