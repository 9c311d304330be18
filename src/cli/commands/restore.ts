import type { Command } from 'commander'
import type { RestoreFlags } from '../migration/putting-back.ts'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ msvc restore --check msvc.tar.gz
  $ msvc restore msvc.tar.gz && msvc up
  $ msvc restore msvc.tar.gz --data /var/lib/msvc --force
  $ msvc restore msvc.tar.gz --data trial && msvc up --data trial`

/** `msvc restore <file>`: a data folder as a backup has it. */
export function addRestore(program: Command, open: OpenSession): void {
  program
    .command('restore')
    .summary('put a backup back')
    .description(
      'Makes the data folder what it was when the backup was taken, once every checksum of it is compared; the platform must not run. A folder that holds something is refused, or with --force set aside. Ids that may have been given out since the backup are left out, so that none means two things.',
    )
    .argument('<file>', 'what msvc backup wrote')
    .option('--check', 'only compare the checksums; nothing is written')
    .option('--force', 'set a folder aside that holds something')
    .option('--keep-ids', 'leave no ids out: for a platform that has not run since the backup')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: RestoreFlags, command: Command) => {
      const { putBack } = await import('../migration/putting-back.ts')
      await putBack(open(command), file, flags)
    })
}
