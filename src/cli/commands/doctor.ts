import type { Command } from 'commander'
import type { Section, Settings } from '../../kit/config/schema.ts'
import type { Finding } from '../../kit/system-findings.ts'
import type { OpenSession, Session } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc doctor
  $ msvc doctor --json > report.json   # for whoever helps, secrets left out`

/** What of the configuration holds, and what doesn't. */
interface Held {
  readonly file: string
  /** Those that hold; or else the defaults, on the file's data folder. */
  readonly settings: Settings
  /** Of the roles that `msvc up` would run. */
  readonly sections: Readonly<Record<string, Section>>
  readonly faults: readonly string[]
}

/** `msvc doctor`: what of this machine and of the configuration is in the way. */
export function addDoctor(program: Command, open: OpenSession): void {
  program
    .command('doctor')
    .summary('look what of this machine is in the way')
    .description(
      'Looks at what the system gives (open files, memory, processors, ports), at its clock, at the data folder, at the configuration and at what runs, and says what is too low and how to raise it. Exit code 1 where something is bad. With --json it is a report for whoever helps, secrets left out.',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (_flags: object, command: Command) => {
      const session = open(command)
      const [
        { examinePorts, examineSystem, programFacts },
        { examineContents },
        { readRunStates },
        { columns },
        { AppError },
      ] = await Promise.all([
        import('../platform/examination.ts'),
        import('../platform/folder-examination.ts'),
        import('../session/run-state.ts'),
        import('../render/columns.ts'),
        import('../../kit/errors.ts'),
      ])
      const { file, settings, sections, faults } = await held(session)
      const running = await readRunStates(settings.data).catch(() => [])
      const ports = running.length > 0 ? [] : [await examinePorts(sections)]
      const findings = [
        configurationFinding(file, faults),
        ...(await examineSystem(settings, { registries: settings.services.registry })),
        ...examineContents(settings),
        ...ports,
      ]
      const facts = {
        ...programFacts(),
        configuration: file,
        data: settings.data,
        running:
          running
            .map(({ pid, units, roles }) => `process ${pid}: ${unitsOf(Math.max(units.length, roles.length))}`)
            .join(', ') || 'nothing',
      }
      session.print(columns(Object.entries(facts)))
      const rows = findings.map(({ what, found, is, remedy = '' }) => [what, found, is, remedy])
      session.print(`\n${columns([['', 'FOUND', 'IS', 'WHAT TO DO'], ...rows])}`)
      session.printJson(await report({ time: new Date().toISOString(), facts, faults, findings, settings, running }))
      const bad = findings.filter(({ is }) => is === 'bad')
      if (bad.length > 0)
        throw new AppError('UNAVAILABLE', `not good enough: ${bad.map(({ what }) => what).join(', ')}`)
    })
}

const unitsOf = (count: number): string => `${count} ${count === 1 ? 'unit' : 'units'}`

function configurationFinding(file: string, { length: count }: Held['faults']): Finding {
  const what = 'configuration'
  if (count === 0) return { what, found: `${file}, without faults`, is: 'good' }
  return {
    what,
    found: `${file}, with ${count === 1 ? 'a fault' : `${count} faults`}`,
    is: 'bad',
    remedy: 'msvc check',
  }
}

/** The configuration; neither a file with faults nor a variable with one is a reason to look no further. */
async function held(session: Session): Promise<Held> {
  const [{ configurationFile, configure, configureWithout }, { AppError }] = await Promise.all([
    import('../session/configuration.ts'),
    import('../../kit/errors.ts'),
  ])
  const file = configurationFile(session) ?? 'built-in defaults'
  const faults: string[] = []
  const note = (fault: unknown) => {
    if (!(fault instanceof AppError) || fault.code !== 'CONFIG_INVALID') throw fault
    const told = fault.message.split('\n')
    faults.push(...told.filter((line) => !faults.includes(line)))
    return undefined
  }
  const bare = { ...session, io: { ...session.io, environment: {} } }
  const configured =
    (await configure(session, { runs: false }).catch(note)) ??
    (await configureWithout(session, file).catch(note)) ??
    (await configureWithout(bare, file))
  const { UP_ROLE_NAMES } = await import('../../roles/catalog.ts')
  const { settings } = configured
  const sections = Object.fromEntries(
    UP_ROLE_NAMES.filter((name) => !settings.up.without.includes(name)).flatMap((name) => {
      const section = configured.sections[name]
      return section ? [[name, section]] : []
    }),
  )
  return { file, settings, sections, faults }
}

/** What `--json` prints. */
async function report({
  settings,
  ...rest
}: Readonly<Record<string, unknown>> & { readonly settings: Settings }): Promise<unknown> {
  const [{ hideSecrets }, { shownSettings }] = await Promise.all([
    import('../../kit/secrets/secret-values.ts'),
    import('../../kit/config/shown.ts'),
  ])
  return hideSecrets({ ...rest, settings: shownSettings(settings) })
}
