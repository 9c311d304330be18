import { addressVariable } from '../../../kit/discovery/address-variable.ts'
import { command, unitText, withSpecifiers } from '../../systemd/unit-text.ts'
import { serviceEnvironment } from '../container.ts'
import type { DeployFile, Deployment, ServicePart } from '../deployment.ts'
import { HARDENED_SERVICE } from './hardening.ts'
import { CONFIG, CONFIG_FOLDER, homeOf, PROGRAM } from './places.ts'
import { configCredential, credentials, environment, lifecycle, order, surroundings } from './unit-lines.ts'

/** Megabytes for one replica of a service and what watches over it. */
const MEMORY_MB = 512

/** The unit of a service of the user's, run away from its platform as in a container: `msvc up --only`. */
export function serviceUnit(deployment: Deployment, service: ServicePart): DeployFile {
  const { name, own, needs, replicas } = service
  const home = homeOf(deployment)
  const addresses = Object.keys(serviceEnvironment(deployment, service))
  const scale = replicas === own.replicas ? [] : ['--scale', `${name}=${replicas}`]
  return {
    path: `msvc-${name}.service`,
    text: unitText(
      [
        `Yours, in ${home}. What it may write is below StateDirectory alone (MSVC_DATA), and /tmp.`,
        `Variables that it wants of its machine: ${CONFIG_FOLDER}/${name}.env, a line each.`,
      ],
      { Unit: [['Description', `msvc service ${name}`], ...order(deployment, ['registry', ...needs])] },
      {
        Service: [
          [
            'ExecStart',
            command([PROGRAM, 'up', '--only', name, ...scale, '--in-process', '--config', `${home}/${CONFIG}`]),
          ],
          ['WorkingDirectory', home],
          ['EnvironmentFile', `-${CONFIG_FOLDER}/${name}.env`],
          ...environment({
            ...surroundings(deployment, name),
            ...Object.fromEntries(
              deployment.roles
                .map((role) => [addressVariable(role.service), `http://127.0.0.1:${role.port}`] as const)
                .filter(([variable]) => addresses.includes(variable)),
            ),
            // it was built when it was put there, which it can't write to
            MSVC_UP_BUILD: 'false',
            // another service of this machine has one too
            MSVC_OUTBOUND_PORT: '0',
            MSVC_DATA: withSpecifiers`%S/msvc/${name}`,
          }),
          ...configCredential(deployment),
          // beside the folders that it names
          ['BindReadOnlyPaths', withSpecifiers`%d/${CONFIG}:${home}/${CONFIG}`],
          ...credentials({ MSVC_KEY_FILE: 'signing-key' }),
          ...lifecycle(Math.ceil(own.stop.grace_ms / 1_000)),
          ['MemoryMax', `${MEMORY_MB * replicas}M`],
          ['StateDirectory', `msvc/${name}`],
          ...HARDENED_SERVICE,
        ],
      },
    ),
  }
}
