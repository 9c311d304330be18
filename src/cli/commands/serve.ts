import type { Command } from 'commander'
import { AppError } from '../../kit/errors.ts'
import { aborted } from '../../kit/pause.ts'
import type { Configured } from '../session/configuration.ts'
import type { StateFile } from '../session/run-state.ts'
import type { OpenSession, Session } from '../session/session.ts'

/** How long a stop may take beyond the requests under way, milliseconds. */
const STUCK_MS = 5_000

interface ServeFlags {
  readonly port?: string
  readonly host?: string
  readonly advertise?: string
}

const EXAMPLES = `
Examples:
  $ msvc serve registry
  $ msvc serve user --port 8101 --data /var/lib/msvc
  $ REGISTRY_URL=http://10.0.0.5:8500 msvc serve order --config production.yaml

Without REGISTRY_URL it registers where a registry runs on the same data folder,
or else where the configuration has it (127.0.0.1:8500).
A socket of systemd's (msvc.socket) takes the place of its host and port.`

/** `msvc serve <role>`: one role in this process, until it is stopped. */
export function addServe(program: Command, open: OpenSession, roles: string): void {
  program
    .command('serve')
    .summary('run one role')
    .description('Runs one role in this process until it is stopped (Ctrl-C, SIGTERM). Log entries go to stderr.')
    .argument('<role>', 'which role')
    .option('--port <number>', 'where it listens instead of its own port; 0 takes a free one')
    .option('--host <address>', 'the address it listens on (default: 127.0.0.1)')
    .option('--advertise <host[:port]>', 'where others reach it, if not where it listens: what is registered')
    .addHelpText('after', `\nRoles:\n${roles}\n${EXAMPLES}`)
    .action(async (name: string, flags: ServeFlags, command: Command) => {
      await serve(open(command), name, flags)
    })
}

async function serve(session: Session, name: string, flags: ServeFlags): Promise<void> {
  const { io, messages } = session
  const [
    { configure, numeric, registryUrl },
    { hostRunner },
    { logOutput },
    { findRole },
    { endOfRun, startFailure },
    states,
    { refuseSharing },
    { refuseMoved },
    { heedSystem },
    { requireKeys },
    { systemClock },
    { managerNotices },
  ] = await Promise.all([
    import('../session/configuration.ts'),
    import('../platform/host-runner.ts'),
    import('../platform/log-output.ts'),
    import('../session/roles.ts'),
    import('../../kit/supervisor/reason.ts'),
    import('../session/run-state.ts'),
    import('../platform/sole-use.ts'),
    import('../session/moved.ts'),
    import('../platform/examination.ts'),
    import('../../kit/config/platform-authority.ts'),
    import('../../drivers/clock.ts'),
    import('../platform/manager-notices.ts'),
  ])
  const role = await findRole(name)
  const notices = managerNotices(io, (words) => messages.warn(words))
  const configured: Configured = await configure(session, {
    served: name,
    together: [name],
    flags: [
      ...(flags.port === undefined ? [] : [{ path: [name, 'port'], value: numeric(flags.port), from: '--port' }]),
      ...(flags.host === undefined ? [] : [{ path: [name, 'host'], value: flags.host, from: '--host' }]),
      ...(flags.advertise === undefined
        ? []
        : [{ path: [name, 'advertise'], value: flags.advertise, from: '--advertise' }]),
    ],
  })
  const { settings, sections, service } = configured
  const running = await states.readRunStates(settings.data)
  refuseMoved(settings)
  await requireKeys(settings, systemClock, role.signs ? `the ${name}` : undefined)
  await heedSystem(settings, { alone: true, warn: (words) => messages.warn(words) })
  await refuseSharing(settings, [service ?? role.service])
  const section = sections[name] ?? { host: '127.0.0.1', port: role.port }
  // nobody reads it as it is, where nobody has said otherwise
  const isRead = io.err.isTTY || configured.saidBy(['log', 'format']) !== undefined
  const sink = await logOutput(session, isRead ? settings.log.format : 'json')
  const handed = (io.serviceManager?.sockets ?? []).map(({ fd }) => fd)
  const run = hostRunner(io, () => sink, handed)
  const starting = run({
    role: name,
    settings,
    section,
    alone: true,
    registryUrl: registryUrl(configured, running),
    ...(service !== undefined && { service }),
  }).catch((cause: unknown) => {
    throw startFailure(name, cause)
  })
  notices.doing(`Starting: ${name}`)
  // nobody waits for the answers of a role that isn't ready yet
  const host = await Promise.race([starting, aborted(io.signal)])
  if (!host) return
  const { service: registered, url, port } = host
  let stateFile: StateFile | undefined
  try {
    stateFile = await states.createStateFile(
      settings.data,
      (words) => messages.warn(words),
      states.servedFile(name, port),
    )
    const unit = { unit: name, role: name, service: registered, url, state: 'ready' as const, pid: io.pid }
    stateFile.save(states.stateOf(io.pid, settings, { roles: [unit], portless: [], starting: [], units: [] }))
    await stateFile.written()
    notices.ready(`Ready: ${registered} at ${url}`)
    session.printJson({ role: name, service: registered, url, pid: io.pid })
    const fault = await Promise.race([aborted(io.signal), host.broken])
    if (fault) throw endOfRun(name, fault)
    notices.stopping('Finishing the requests under way')
    if (io.err.isTTY) messages.info('stopping, once the requests under way are finished (Ctrl-C again: at once)')
  } finally {
    await inTime(host.stop(), settings.drain_seconds * 1_000 + STUCK_MS)
    await stateFile?.remove()
    await notices.close()
  }
}

/** Throws AppError `STOPPING` when the work takes longer than `ms`. */
async function inTime(work: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new AppError('STOPPING', 'a part did not stop in time')), ms)
  await Promise.race([work, late.promise]).finally(() => clearTimeout(timer))
}
