import { makeKeyFile } from '../../../kit/auth/key-files.ts'
import { unitText } from '../../systemd/unit-text.ts'
import type { DeployFile, Deployment } from '../deployment.ts'
import type { SecretText, Written } from '../kinds.ts'
import { installSteps } from './install-steps.ts'
import { namedStores, roleUnits } from './role-units.ts'
import { serviceUnit } from './service-unit.ts'
import { unitNames } from './unit-names.ts'

/**
 * Writes a unit a role, and one a service of the user's: each a user of its own with a folder of its own, its secrets given by the manager. They share no data
 * folder, as each would have to be able to read the other's then; the key that tokens are signed with is a credential of all of them.
 */
export async function writeSystemd(deployment: Deployment, secret: SecretText): Promise<Written> {
  const units = [
    { path: 'msvc.target', text: target(deployment) },
    ...deployment.roles.flatMap((role) => roleUnits(deployment, role)),
    ...deployment.services.map((service) => serviceUnit(deployment, service)),
  ]
  const secrets = secretFiles(deployment, await makeKeyFile(), secret)
  return {
    files: [...units, { path: '.gitignore', text: 'secrets/\n' }, ...secrets],
    next: installSteps(
      deployment,
      units.map(({ path }) => path),
    ),
  }
}

function target(deployment: Deployment): string {
  const wanted = [...deployment.roles, ...deployment.services].flatMap((part) => unitNames(deployment, part))
  return unitText(
    [
      `The whole platform, msvc ${deployment.version}: systemctl start|stop|restart msvc.target; systemctl list-dependencies msvc.target`,
    ],
    { Unit: [['Description', `msvc platform ${deployment.name}`], ...wanted.map((name) => ['Wants', name] as const)] },
    { Install: [['WantedBy', 'multi-user.target']] },
  )
}

function secretFiles(deployment: Deployment, key: string, secret: SecretText): readonly DeployFile[] {
  const texts: readonly (readonly [string, string])[] = [
    ['signing-key', key],
    // 43 characters are 32 bytes in base64
    ['config-key', `${secret(43)}\n`],
    ...namedStores(deployment).map(
      ({ variable, elsewhere }) => [variable.toLowerCase().replaceAll('_', '-'), `${elsewhere}\n`] as const,
    ),
  ]
  return texts.map(([name, text]) => ({ path: `secrets/${name}`, text, mode: 0o600, isSecret: true }))
}
