import { unitText } from '../../systemd/unit-text.ts'
import type { Deployment } from '../deployment.ts'
import type { SecretText, Written } from '../kinds.ts'
import { platformSecrets } from '../platform-secrets.ts'
import { installSteps } from './install-steps.ts'
import { namedStores, roleUnits } from './role-units.ts'
import { serviceUnit } from './service-unit.ts'
import { unitNames } from './unit-names.ts'

/** Of secrets, on their way to where units find them. */
const SECRET = 0o600

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
  const secrets = await platformSecrets(namedStores(deployment), secret, SECRET)
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
