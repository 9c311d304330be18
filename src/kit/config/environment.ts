import type { Configurable } from './configurable.ts'
import { isGivenVariable } from './given-variables.ts'
import { isNamedVariable, readNamedVariables } from './named-variables.ts'
import type { EnvironmentValues } from './override.ts'
import { withFiles } from './secret-files.ts'
import type { SettingVariables } from './setting-variables.ts'

/** All that the environment says. */
export interface WholeEnvironment extends EnvironmentValues {
  /** Hides in a message what came from files, as secrets are mounted. */
  hide(message: string): string
}

type Variables = Readonly<Record<string, string | undefined>>

/**
 * What the environment says about the configuration: by variables with names of their own (`readNamedVariables`), which win, by one for each setting
 * (`settingVariables`), and by files that either names (`withFiles`).
 * @param roles every role that has a section
 * @param served the one role that PORT, SERVICE_NAME and ADVERTISE speak of
 */
export async function readEnvironment(
  environment: Variables,
  roles: readonly Configurable[],
  served?: string,
): Promise<WholeEnvironment> {
  const settings = await settingsOf(environment, roles)
  const { variables, faults, hide } = withFiles(
    environment,
    (name) => isNamedVariable(name, roles) || (settings?.isOne(name) ?? false),
  )
  const named = readNamedVariables(variables, roles, served)
  const set = settings?.read(variables) ?? { overrides: [], faults: [] }
  return {
    ...named,
    overrides: [...set.overrides, ...named.overrides],
    faults: [...faults, ...set.faults, ...named.faults].map(hide),
    hide,
  }
}

/** To walk through all settings takes longer than to read a file, and most processes are given none of these variables. */
async function settingsOf(
  environment: Variables,
  roles: readonly Configurable[],
): Promise<SettingVariables | undefined> {
  if (!Object.keys(environment).some((name) => name.startsWith('MSVC_') && !isGivenVariable(name))) return undefined
  const [{ fileSchema }, { settingVariables }] = await Promise.all([
    import('./file-schema.ts'),
    import('./setting-variables.ts'),
  ])
  return settingVariables(fileSchema(roles))
}
