import type { Command } from 'commander'
import type { OpenSession } from './session.ts'

interface EnvironmentFlag {
  readonly env?: string
}

const EXAMPLES = `
Examples:
  $ msvc config set order-service default_price 19.99
  $ msvc config set order-service prices '{"Laptop":999.9}' --env production
  $ msvc config set payment-service provider_key s3cr3t --secret
  $ msvc config get order-service
  $ msvc config get payment-service provider_key --secrets
  $ msvc config history order-service
  $ msvc config rollback order-service 3`

const SERVICE = 'the service, or _default for all'
const ENV = 'the environment, or _default for all (default: the configured one)'

/** `msvc config get|set|history|rollback`: values that the config server keeps. */
export function addConfig(program: Command, open: OpenSession): void {
  const config = program
    .command('config')
    .summary('read and change values of services')
    .description(
      'Reads and changes the values that the config server keeps for services; running services take them at once.',
    )
    .addHelpText('after', EXAMPLES)
  config
    .command('get')
    .description('Prints all values of a service, or one.')
    .argument('<service>', SERVICE)
    .argument('[key]', 'one value only')
    .option('--env <name>', ENV)
    .option('--secrets', 'show secret values too')
    .addHelpText('after', EXAMPLES)
    .action(
      async (
        service: string,
        key: string | undefined,
        flags: EnvironmentFlag & { secrets?: boolean },
        command: Command,
      ) => {
        const { getConfig } = await import('./config-values.ts')
        await getConfig(open(command), { service, ...flags, ...(key !== undefined && { key }) })
      },
    )
  config
    .command('set')
    .description('Sets one value. JSON is taken as it is, anything else as text.')
    .argument('<service>', SERVICE)
    .argument('<key>')
    .argument('<value>')
    .option('--env <name>', ENV)
    .option('--secret', 'keep it encrypted, and show it to nobody without the scope config:secrets')
    .addHelpText('after', EXAMPLES)
    .action(
      async (
        service: string,
        key: string,
        value: string,
        flags: EnvironmentFlag & { secret?: boolean },
        command: Command,
      ) => {
        const { setConfig } = await import('./config-values.ts')
        await setConfig(open(command), { service, key, value, ...flags })
      },
    )
  config
    .command('history')
    .description('Lists the versions of a configuration, newest first.')
    .argument('<service>', SERVICE)
    .option('--env <name>', ENV)
    .addHelpText('after', EXAMPLES)
    .action(async (service: string, flags: EnvironmentFlag, command: Command) => {
      const { configHistory } = await import('./config-values.ts')
      await configHistory(open(command), { service, ...flags })
    })
  config
    .command('rollback')
    .description('Makes the values of an earlier version hold again, as a new version.')
    .argument('<service>', SERVICE)
    .argument('<version>', 'a number from msvc config history')
    .option('--env <name>', ENV)
    .addHelpText('after', EXAMPLES)
    .action(async (service: string, version: string, flags: EnvironmentFlag, command: Command) => {
      const { rollBackConfig } = await import('./config-values.ts')
      await rollBackConfig(open(command), { service, version, ...flags })
    })
}
