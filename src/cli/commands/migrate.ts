import type { Command } from 'commander'
import type { MigrateFlags } from '../migration/migration-ways.ts'
import type { OpenSession } from '../session/session.ts'

const EXAMPLES = `
Examples:
  $ export DATABASE_URL=postgres://shop:…@db/shop NATS_URL=nats://shop:…@mq/shop
  $ msvc migrate --dry-run
  $ msvc migrate
  $ msvc migrate --live --config production.yaml
  $ msvc migrate --bus 'nats://a,b,c/shop?replicas=3' --cache redis://cache
  $ msvc migrate --store sqlite: --bus embedded: --data back

Without --store, --bus and --cache everything goes from the data folder to the
servers of the configuration: DATABASE_URL, NATS_URL, REDIS_URL, or the file.
Passwords belong there: others can see the command line.

Back again, from the servers of the configuration or from --from-store and
--from-bus: the data folder that is filled holds no databases yet, or some that
have left it, which are set aside. Put keys/ there (cp -a) from the folder that
the platform has run on: without them sealed values can't be opened.`

/** `msvc migrate`: databases and messages to servers, or back into a data folder. */
export function addMigrate(program: Command, open: OpenSession): void {
  program
    .command('migrate')
    .summary('move a platform to PostgreSQL, NATS and Redis, or back')
    .description(
      'Copies databases, messages, subscriptions with their places, unacknowledged and delayed messages and dead letters, while the platform does not run, and compares both sides row by row. Ended at any moment, the same command goes on where it was. Nothing is taken away: what was moved stays in the data folder, which refuses to run on it. Leases and limits of the cache begin anew.',
    )
    .option('--store <url>', 'where the databases go: postgres://…, or sqlite: for the data folder')
    .option('--bus <url>', 'where the messages go: nats://…, or embedded: for the data folder')
    .option('--cache <url>', 'the cache to be used: it is asked whether it answers, and nothing is copied')
    .option('--from-store <url>', 'where the databases are (default: where the data folder says that they are by now)')
    .option('--from-bus <url>', 'where the messages are (default: where the data folder says that they are by now)')
    .option(
      '--live',
      'while the platform runs: it goes on serving, and its requests wait for less than 2 s when it begins on the servers',
    )
    .option('--dry-run', 'check both sides and say what would be moved; nothing is written (with --live too)')
    .option('--force', 'set databases aside that stand in the way in the data folder')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: MigrateFlags, command: Command) => {
      if (flags.live) {
        const { migrateLive } = await import('../migration/live-migration.ts')
        await migrateLive(open(command), flags)
        return
      }
      const { runMigration } = await import('../migration/migrating.ts')
      await runMigration(open(command), flags)
    })
}
