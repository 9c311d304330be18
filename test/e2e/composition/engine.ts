import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A process whose namespaces others are put into. It ends with the process that has made it, and takes all of them along. */
interface Holder {
  readonly child: ChildProcess
  /** The process within. */
  readonly pid: number
}

/** Which addresses there are. */
export type Family = 'IPv4' | 'IPv6'

/** Networks by name; of an internal one no way leads out. */
type Networks = Readonly<Record<string, { readonly internal: boolean }>>

/** What plays an engine's machine: a network namespace with a bridge for each of its networks, between which nothing is passed on. */
export interface Engine extends AsyncDisposable {
  /** Of the namespace in which its bridges are: what runs there reaches containers as the machine itself does. */
  readonly pid: number
  /** Where somebody is in a network, as a URL has it. @param place from 2 on */
  host(network: string, place: number): string
  /** The same without brackets. */
  address(network: string, place: number): string
  /** Gives a container an interface in each of some networks, in their order. @param place who it is in all of them, from 2 on */
  connect(pid: number, networks: readonly string[], place: number): Promise<void>
}

/** Starts an engine for some networks, with addresses of one family alone. */
export async function startEngine(networks: Networks, family: Family): Promise<Engine> {
  const { child, pid } = await hold(['--net'], 'echo ready; exec cat')
  const names = Object.keys(networks)
  const address = (network: string, place: number) => {
    const number = 77 + names.indexOf(network)
    return family === 'IPv4' ? `10.${number}.0.${place}` : `fd00:${number}::${place.toString(16)}`
  }
  // who has an address needn't wait until nobody else is seen to have it
  const addressLine = (network: string, place: number, device: string) =>
    `addr add ${address(network, place)}${family === 'IPv4' ? '/24' : '/64'} dev ${device}${family === 'IPv4' ? '' : ' nodad'}`
  let links = 0
  const lines = names.flatMap((name) => [
    `link add ${name} type bridge`,
    `link set ${name} up`,
    addressLine(name, 1, name),
  ])
  await ip(pid, lines)
  return {
    pid,
    address,
    host: (network, place) => (family === 'IPv4' ? address(network, place) : `[${address(network, place)}]`),
    async connect(container, own, place) {
      const pairs = own.map((name, index) => ({ name, near: `veth${links++}`, far: `eth${index}` }))
      await ip(
        pid,
        pairs.flatMap(({ name, near, far }) => [
          `link add ${near} type veth peer name ${far} netns ${container}`,
          `link set ${near} master ${name} up`,
        ]),
      )
      // the way out is by the first that has one, in the order of their names
      const [out] = own.filter((name) => networks[name]?.internal === false).sort()
      await ip(container, [
        'link set lo up',
        ...pairs.flatMap(({ name, far }) => [`link set ${far} up`, addressLine(name, place, far)]),
        ...(out === undefined ? [] : [`route add default via ${address(out, 1)}`]),
      ])
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Runs commands of `ip` in a process's network namespace. */
async function ip(pid: number, lines: readonly string[]): Promise<void> {
  const running = run('nsenter', ['--target', String(pid), '--net', 'ip', '-batch', '-'])
  running.child.stdin?.end(`${lines.join('\n')}\n`)
  await running
}

/**
 * Starts a script in namespaces of its own; resolves once it has written `ready`. It is killed with the process that has started it.
 * @param namespaces flags of unshare
 */
export async function hold(
  namespaces: readonly string[],
  script: string,
  env: Readonly<Record<string, string>> = {},
  words: readonly string[] = [],
): Promise<Holder> {
  const unshare = ['unshare', ...namespaces, 'sh', '-c', script, 'sh', ...words]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...unshare], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text).slice(-4_000)
  })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`a namespace could not be made: ${said}`)
  })
  ended.catch(() => {})
  await Promise.race([once(createInterface(child.stdout), 'line'), ended])
  const { pid = 0 } = child
  const [within] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  return { child, pid: namespaces.includes('--fork') ? Number(within) : pid }
}
