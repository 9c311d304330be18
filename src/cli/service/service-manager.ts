import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AppError, messageOf } from '../../kit/errors.ts'
import type { ServicePlan } from './service-plan.ts'
import { systemdUnit, UNIT_FOLDER } from './systemd-unit.ts'
import { windowsTask } from './windows-task.ts'

/** What starts platforms with the machine. */
export interface ServiceManager {
  /** Has one started now, and with the machine from now on; gives where that is written. Throws AppError `CONFLICT` when there is one of the name. */
  install(plan: ServicePlan): Promise<string>
  /** Ends it, and has it started no more. Throws AppError `NOT_FOUND` when there is none. */
  uninstall(name: string): Promise<void>
  /** How it is, in the manager's words. Throws AppError `NOT_FOUND`. */
  status(name: string): Promise<string>
}

/** Runs a program of the system's; gives what it says. */
type Run = (program: string, ...args: readonly string[]) => Promise<string>

/**
 * The service manager of this system. Throws AppError `USAGE` where there is none that is known.
 * @param hasSystemd whether systemd runs here (sd_booted(3))
 */
export function serviceManager(
  platform: NodeJS.Platform = process.platform,
  hasSystemd = existsSync('/run/systemd/system'),
): ServiceManager {
  if (platform === 'win32') return taskScheduler(runTool)
  if (hasSystemd) return systemd(runTool)
  throw new AppError(
    'USAGE',
    'neither systemd nor Windows runs here, which start services with the machine; msvc up --detach runs in the background until then',
  )
}

const runTool: Run = async (program, ...args) => {
  try {
    return (await promisify(execFile)(program, [...args], { windowsHide: true })).stdout.trim()
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new AppError('START_FAILED', `${program} ${args.join(' ')}: ${said || messageOf(cause)}`, { cause })
  }
}

/** Units in the administrator's folder. @param folder where they are */
export function systemd(run: Run, folder = UNIT_FOLDER): ServiceManager {
  const pathOf = (name: string) => join(folder, `${name}.service`)
  const wanted = (name: string) => {
    if (existsSync(pathOf(name))) return
    throw new AppError('NOT_FOUND', `there is no ${pathOf(name)}; msvc service install makes one`)
  }
  const isRights = (fault: unknown) =>
    fault instanceof Error && 'code' in fault && (fault.code === 'EACCES' || fault.code === 'EPERM')
  const asRoot = (fault: unknown): never => {
    if (!isRights(fault)) throw fault
    throw new AppError(
      'USAGE',
      `only root may write to ${folder}: run it by sudo, and --user says who runs the platform`,
      {
        cause: fault,
      },
    )
  }
  return {
    async install(plan) {
      const path = pathOf(plan.name)
      if (existsSync(path))
        throw new AppError(
          'CONFLICT',
          `${path} is there already; msvc service uninstall takes it away, or choose another --name`,
        )
      await writeFile(path, systemdUnit(plan), { flag: 'wx', mode: 0o644 }).catch(asRoot)
      await run('systemctl', 'daemon-reload')
      await run('systemctl', 'enable', '--now', `${plan.name}.service`)
      return path
    },
    async uninstall(name) {
      wanted(name)
      await run('systemctl', 'disable', '--now', `${name}.service`)
      await rm(pathOf(name)).catch(asRoot)
      await run('systemctl', 'daemon-reload')
    },
    async status(name) {
      wanted(name)
      return run('systemctl', 'show', '--property=ActiveState,SubState,StatusText,MainPID,NRestarts', `${name}.service`)
    },
  }
}

/** Tasks of Windows' scheduler. */
export function taskScheduler(run: Run): ServiceManager {
  const ofTask = (fault: unknown, name: string): never => {
    throw new AppError('NOT_FOUND', `there is no task ${name}; msvc service install makes one`, { cause: fault })
  }
  const query = (name: string) => run('schtasks', '/query', '/tn', name, '/fo', 'list')
  return {
    async install(plan) {
      const isThere = await query(plan.name).then(
        () => true,
        () => false,
      )
      if (isThere)
        throw new AppError(
          'CONFLICT',
          `there is a task ${plan.name} already; msvc service uninstall takes it away, or choose another --name`,
        )
      const file = join(tmpdir(), `${plan.name}-task.xml`)
      // the one encoding that schtasks takes for sure
      await writeFile(file, `\ufeff${windowsTask(plan)}`, 'utf16le')
      try {
        await run('schtasks', '/create', '/tn', plan.name, '/xml', file)
      } finally {
        await rm(file, { force: true })
      }
      await run('schtasks', '/run', '/tn', plan.name)
      return `the task ${plan.name}`
    },
    async uninstall(name) {
      await query(name).catch((fault: unknown) => ofTask(fault, name))
      await run('schtasks', '/delete', '/tn', name, '/f')
    },
    status: (name) => query(name).catch((fault: unknown) => ofTask(fault, name)),
  }
}
