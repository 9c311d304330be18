import type { Command } from 'commander'
import type { BackupFlags } from '../migration/taking-backup.ts'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc backup msvc.tar.gz
  $ msvc backup /mnt/copies/msvc-$(date +%F).tar.gz --data /var/lib/msvc
  $ msvc backup - | ssh other 'cat > msvc.tar.gz'
  $ msvc restore --check msvc.tar.gz`

/** `msvc backup <file>`: the data folder of a platform, also of one that runs, in one file. */
export function addBackup(program: Command, open: OpenSession): void {
  program
    .command('backup')
    .summary('back a platform up into one file')
    .description(
      "Writes the data folder's databases, messages and keys into one file (tar and gzip, 0600), all as of one instant, while the platform runs: what writes waits for some milliseconds. The file holds the keys that lie in the folder, so keep it as safe as the platform; those in a file of their own (auth.key_file, config-server.key_file) are not in it. What lies on a server (PostgreSQL, NATS, Redis) that server's own tool backs up: it is told which, with the command.",
    )
    .argument('<file>', 'where to, such as msvc.tar.gz; - for stdout')
    .option('--force', 'replace a file that is there already')
    .option('--partial', 'what the data folder holds, although the rest is on servers')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: BackupFlags, command: Command) => {
      const { takeBackup } = await import('../migration/taking-backup.ts')
      await takeBackup(open(command), file, flags)
    })
}
