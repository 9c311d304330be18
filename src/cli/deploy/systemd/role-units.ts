import { command, type Syntax, unitText, withSpecifiers } from '../../systemd/unit-text.ts'
import { roleSecrets } from '../container.ts'
import type { DeployFile, Deployment, RolePart, StorePart } from '../deployment.ts'
import { HARDENED_ROLE } from './hardening.ts'
import { CONFIG, PROGRAM } from './places.ts'
import { configCredential, credentials, environment, lifecycle, order, surroundings } from './unit-lines.ts'
import { replicasOf } from './unit-names.ts'

/** The unit of a role, a template where it has replicas, and the socket of the one that people call. */
export function roleUnits(deployment: Deployment, role: RolePart): readonly DeployFile[] {
  const { name, summary, port, memoryMb, isEntrance } = role
  const isTemplate = replicasOf(deployment, role) > 1
  const state: Syntax = isTemplate ? withSpecifiers`msvc/${name}-%i` : withSpecifiers`msvc/${name}`
  const config = deployment.file === undefined ? [] : ['--config', withSpecifiers`%d/${CONFIG}`]
  const unit: DeployFile = {
    path: `msvc-${name}${isTemplate ? '@' : ''}.service`,
    text: unitText(
      [
        `${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}${isTemplate ? `. More of it: systemctl enable --now msvc-${name}@3` : ''}`,
      ],
      {
        Unit: [
          ['Description', isTemplate ? withSpecifiers`msvc ${name} %i` : `msvc ${name}`],
          ...order(deployment, role.needs, role.stores),
        ],
      },
      {
        Service: [
          ['ExecStart', command([PROGRAM, 'serve', name, ...(isTemplate ? ['--port', '0'] : []), ...config])],
          ...environment({
            ...surroundings(deployment, name),
            MSVC_DATA: { syntax: `%S/${state.syntax}` },
            // the heap has its share of MemoryMax
            NODE_OPTIONS: '--max-old-space-size-percentage=60',
          }),
          ...configCredential(deployment),
          ...credentials(roleSecrets({ stores: namedStores(deployment) }, role)),
          ...lifecycle(deployment.drainSeconds),
          ['MemoryMax', `${memoryMb}M`],
          ['StateDirectory', state],
          ...(isEntrance ? [['Sockets', `msvc-${name}.socket`] as const] : []),
          ...HARDENED_ROLE,
        ],
      },
    ),
  }
  return isEntrance ? [unit, socketUnit(name, port)] : [unit]
}

/** Stores with an address, wherever that is: units see the machine's own loopback. What has none is in the unit's folder. */
export function namedStores({ stores }: Pick<Deployment, 'stores'>): readonly StorePart[] {
  return stores.flatMap((store) => {
    const elsewhere = store.elsewhere ?? store.here
    return elsewhere === undefined ? [] : [{ ...store, elsewhere }]
  })
}

function socketUnit(name: string, port: number): DeployFile {
  return {
    path: `msvc-${name}.socket`,
    text: unitText(
      [
        `Stays open while ${name} is started again: what comes meanwhile waits in it. Plain HTTP, so for this machine alone: put a TLS proxy in front.`,
        `For every address: systemctl edit msvc-${name}.socket, with an empty ListenStream= and one of ${port}.`,
      ],
      {
        Unit: [
          ['Description', `msvc ${name}, its port`],
          // else it would start the gateway again, alone, for the next that asks
          ['PartOf', 'msvc.target'],
        ],
      },
      {
        Socket: [
          ['ListenStream', `127.0.0.1:${port}`],
          ['FileDescriptorName', name],
          ['Backlog', '4096'],
          ['NoDelay', 'yes'],
        ],
      },
    ),
  }
}
