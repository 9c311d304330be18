import type { Command } from 'commander'
import type { OpenSession } from '../session/session.ts'

interface EnvironmentFlag {
  readonly env?: string
}

const EXAMPLES = `
Examples:
  $ msvc config set order-service default_price 19.99
  $ msvc config set order-service prices '{"Laptop":999.9}' --env production
  $ msvc config keys order-service
  $ msvc config get order-service
  $ msvc config set shop-service provider_key --secret
  $ pass show shop | msvc config set shop-service provider_key - --secret
  $ msvc config set shop-service tls_key --file key.pem --secret
  $ msvc config get shop-service provider_key --secrets
  $ msvc config unset order-service prices
  $ msvc config history order-service
  $ msvc config rollback order-service 3`

const SERVICE = 'the service, or _default for all'
const FORCE = 'also what the service would not take (see msvc config keys)'
const SECRETS = 'with the values of secrets that somebody set as such, too'
const ENV = 'the environment, or _default for all (default: the configured one)'

/** `msvc config keys|get|set|unset|history|rollback`: values that the config server keeps. */
export function addConfig(program: Command, open: OpenSession): void {
  const config = program
    .command('config')
    .summary('read and change values of services')
    .description(
      'Reads and changes the values that the config server keeps for services; running services take them at once.',
    )
    .addHelpText('after', EXAMPLES)
  config
    .command('keys')
    .description('Lists what a service takes while it runs, with range and default.')
    .argument('<service>', 'the service')
    .addHelpText('after', EXAMPLES)
    .action(async (service: string, _flags: object, command: Command) => {
      const { configKeys } = await import('./config-values.ts')
      await configKeys(open(command), service)
    })
  config
    .command('get')
    .description(
      'Prints all values of a service, or one. What is a secret by its name or by its shape alone is shown in auth.mode local; what was set as a secret, with --secrets only.',
    )
    .argument('<service>', SERVICE)
    .argument('[key]', 'one value only')
    .option('--env <name>', ENV)
    .option('--secrets', SECRETS)
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
    .description(
      'Sets one value. JSON is taken as it is, anything else as text. A value that the service would not take is refused.',
    )
    .argument('<service>', SERVICE)
    .argument('<key>', 'see msvc config keys')
    .argument(
      '[value]',
      'the value, or - to read it from stdin: others can see the command line. Without one, --secret asks for it at a terminal',
    )
    .option('--file <path>', 'read the value from this file')
    .option('--env <name>', ENV)
    .option('--force', FORCE)
    .option('--secret', 'keep it encrypted, and show it to nobody without the scope config:secrets')
    .addHelpText('after', EXAMPLES)
    .action(
      async (
        service: string,
        key: string,
        value: string | undefined,
        flags: EnvironmentFlag & { file?: string; secret?: boolean; force?: boolean },
        command: Command,
      ) => {
        const { setConfig } = await import('./config-values.ts')
        await setConfig(open(command), { service, key, ...flags, ...(value !== undefined && { value }) })
      },
    )
  config
    .command('unset')
    .description("Removes one value: the service goes by its own configuration's again.")
    .argument('<service>', SERVICE)
    .argument('<key>')
    .option('--env <name>', ENV)
    .addHelpText('after', EXAMPLES)
    .action(async (service: string, key: string, flags: EnvironmentFlag, command: Command) => {
      const { unsetConfig } = await import('./config-values.ts')
      await unsetConfig(open(command), { service, key, ...flags })
    })
  config
    .command('history')
    .description('Lists the versions of a configuration with the values that changed, newest first.')
    .argument('<service>', SERVICE)
    .option('--env <name>', ENV)
    .option('--secrets', SECRETS)
    .addHelpText('after', EXAMPLES)
    .action(async (service: string, flags: EnvironmentFlag & { secrets?: boolean }, command: Command) => {
      const { configHistory } = await import('./config-values.ts')
      await configHistory(open(command), { service, ...flags })
    })
  config
    .command('rollback')
    .description('Makes the values of an earlier version hold again, as a new version.')
    .argument('<service>', SERVICE)
    .argument('<version>', 'a number from msvc config history')
    .option('--env <name>', ENV)
    .option('--force', FORCE)
    .addHelpText('after', EXAMPLES)
    .action(
      async (service: string, version: string, flags: EnvironmentFlag & { force?: boolean }, command: Command) => {
        const { rollBackConfig } = await import('./config-values.ts')
        await rollBackConfig(open(command), { service, version, ...flags })
      },
    )
}
