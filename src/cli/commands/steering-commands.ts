import type { Command } from 'commander'
import type { OpenSession, Session } from '../session/session.ts'

/** What commands that steer a platform ask it for. */
type Ask = typeof import('./steer.ts').steer

const START = `
Examples:
  $ msvc start catalog
  $ msvc start catalog-2`

/** `msvc start`: starts what was stopped, has finished or failed. */
export function addStart(program: Command, open: OpenSession): void {
  program
    .command('start')
    .summary('start what was stopped, is done or has failed')
    .description(
      'Starts roles and services of the running platform that were stopped, are done or have failed, and waits until they are ready. A name stands for all replicas; catalog-2 is the second alone, catalog-1 the first.',
    )
    .argument('<unit...>', 'see msvc ps')
    .addHelpText('after', START)
    .action(async (units: string[], _: object, command: Command) => {
      await asking(open(command), (session, ask) => ask(session, { do: 'start', units }))
    })
}

const STOP = `
Examples:
  $ msvc stop catalog        # all its replicas
  $ msvc stop catalog-2      # one`

/** `msvc stop`: stops units until they are started again. */
export function addStop(program: Command, open: OpenSession): void {
  program
    .command('stop')
    .summary('stop a role or service until it is started again')
    .description(
      'Takes roles and services of the running platform out of the registry, lets them finish what is under way and stops them. They stay stopped until msvc start.',
    )
    .argument('<unit...>', 'see msvc ps')
    .addHelpText('after', STOP)
    .action(async (units: string[], _: object, command: Command) => {
      await asking(open(command), (session, ask) => ask(session, { do: 'halt', units }))
    })
}

const RESTART = `
Examples:
  $ msvc restart catalog
  $ msvc restart --rolling catalog   # one after the other: nobody notices`

/** `msvc restart`: stops and starts units. */
export function addRestart(program: Command, open: OpenSession): void {
  program
    .command('restart')
    .summary('stop and start a role or service')
    .description('Stops roles and services of the running platform in order and starts them again, on the same ports.')
    .argument('<unit...>', 'see msvc ps')
    .option('--rolling', 'one replica after the other, each when the one before it is ready')
    .addHelpText('after', RESTART)
    .action(async (units: string[], { rolling = false }: { rolling?: boolean }, command: Command) => {
      await asking(open(command), (session, ask) => ask(session, { do: 'restart', units, rolling }))
    })
}

const SCALE = `
Examples:
  $ msvc scale catalog=3
  $ msvc scale user=2`

/** `msvc scale`: another number of replicas. */
export function addScale(program: Command, open: OpenSession): void {
  program
    .command('scale')
    .summary('run more or fewer replicas')
    .description(
      'Runs another number of replicas of a role or service, until the platform is stopped. Waits up to 10 s for those that it starts, and ends with 1 when one fails.',
    )
    .argument('<name=replicas>', 'such as catalog=3')
    .addHelpText('after', SCALE)
    .action(async (wish: string, _: object, command: Command) => {
      const { parseScale } = await import('../plan/plan.ts')
      for (const [of, replicas] of parseScale([wish], 'msvc scale'))
        await asking(open(command), (session, ask) => ask(session, { do: 'scale', of, replicas }))
    })
}

const APPLY = `
Examples:
  $ msvc apply
  $ msvc apply --json | jq -r '.restarted[]'`

/** `msvc apply`: the running platform as its file has it now. */
export function addApply(program: Command, open: OpenSession): void {
  program
    .command('apply')
    .summary('have the running platform follow its changed file')
    .description(
      'Has the running platform read its file again, and start, stop and restart what has changed in it, and nothing else; routes and limits of the gateway change while it runs. Waits up to 10 s for what it starts, and ends with 1 when some of that fails. Settings that take a down and an up are named. A file with faults changes nothing.',
    )
    .addHelpText('after', APPLY)
    .action(async (_: object, command: Command) => {
      await asking(open(command), (session, ask) => ask(session, { do: 'apply' }))
    })
}

const UPGRADE = `
Examples:
  $ msvc backup before.tar && mv msvc-new "$(command -v msvc)" && msvc upgrade`

/** `msvc upgrade`: the running platform as the program that lies at its place now. */
export function addUpgrade(program: Command, open: OpenSession): void {
  program
    .command('upgrade')
    .summary('have the running platform run this version')
    .description(
      'Has the platform that runs on the data folder become the program that lies in its place now, with the same flags: it finishes what is under way, stops and starts anew in the same process. The gateway stays open meanwhile, so that requests wait and none is refused, to services of yours neither. What the new version refuses changes nothing.',
    )
    .addHelpText('after', UPGRADE)
    .action(async (_: object, command: Command) => {
      const { askUpgrade } = await import('../platform/ask-upgrade.ts')
      await askUpgrade(open(command))
    })
}

/** `msvc down`: stops the platform. */
export function addDown(program: Command, open: OpenSession): void {
  program
    .command('down')
    .summary('stop the platform')
    .description('Stops the platform that runs on the data folder, as Ctrl-C does, and waits until it has ended.')
    .addHelpText('after', '\nExamples:\n  $ msvc down\n  $ msvc down --data /var/lib/msvc')
    .action(async (_: object, command: Command) => {
      const { bringDown } = await import('./steer.ts')
      await bringDown(open(command))
    })
}

async function asking(session: Session, ask: (session: Session, ask: Ask) => Promise<void>): Promise<void> {
  const { steer } = await import('./steer.ts')
  await ask(session, steer)
}
