import type { Command } from 'commander'
import type { ServiceFlags } from '../autostart/keep-service.ts'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ sudo msvc service install --user shop
  $ sudo msvc service install --config /srv/shop/msvc.yaml --name shop
  $ msvc service status
  $ sudo msvc service uninstall`

/** `msvc service`: a platform that starts with the machine. */
export function addService(program: Command, open: OpenSession): void {
  const service = program
    .command('service')
    .summary('have the platform start with the machine')
    .description(
      'Has systemd, or Windows by a scheduled task, start msvc up of this folder with the machine and again when it fails. msvc deploy systemd writes units for each role instead.',
    )
    .addHelpText('after', EXAMPLES)
  service
    .command('install')
    .summary('start it now, and with the machine')
    .description(
      'Starts the platform of this folder now, and with the machine from now on; comes back when it is ready; nothing is left behind when it fails to start. Wants the rights to say so: root, or an administrator.',
    )
    .option('--name <name>', 'what the system calls it', 'msvc')
    .option('--user <user>', 'who runs it (default: who called sudo, or you)')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: ServiceFlags, command: Command) => {
      const { installService } = await import('../autostart/keep-service.ts')
      await installService(open(command), flags)
    })
  service
    .command('uninstall')
    .summary('stop it, and start it no more')
    .description('Stops the platform, and takes away what starts it. Its data stay.')
    .option('--name <name>', 'what the system calls it', 'msvc')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: ServiceFlags, command: Command) => {
      const { uninstallService } = await import('../autostart/keep-service.ts')
      await uninstallService(open(command), flags)
    })
  service
    .command('status')
    .summary('how it is')
    .description("Says how it is, in the system's own words.")
    .option('--name <name>', 'what the system calls it', 'msvc')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: ServiceFlags, command: Command) => {
      const { tellService } = await import('../autostart/keep-service.ts')
      await tellService(open(command), flags)
    })
}
