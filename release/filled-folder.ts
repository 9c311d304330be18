// Fills a data folder with something of all that a platform keeps, for tests of later versions to open.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** What was put into a folder, by which a test tells that it is all there. */
export interface Filling {
  readonly users: readonly string[]
  readonly orders: readonly { readonly id: number; readonly status: string }[]
  /** Values that the config server had for the prices, the oldest first. */
  readonly prices: readonly object[]
  /** A trace, and an entry of the log with its id. */
  readonly trace: string
  readonly entry: string
  /** Ids of messages: waiting at a group, dead at another, and waiting for their time. */
  readonly unread: readonly string[]
  readonly dead: string
  readonly delayed: string
}

/** Where a platform of any version finds what it needs: free ports, and log entries however old they are. */
const CONFIGURATION = ['registry', 'config-server', 'broker', 'user', 'order', 'payment', 'gateway', 'outbound']
  .map((role) => `${role}: { port: 0 }\n`)
  .concat('log-server: { port: 0, keep_days: 3650 }\n', 'log: { level: WARNING }\n')
  .join('')

/** How long each thing may take to be there, milliseconds. */
const PATIENCE_MS = 30_000

/**
 * Runs a platform on `<folder>/data`, fills it, takes a backup of it (`<folder>/backup.tar.gz`) and stops it. Rejects when something of it can't be made.
 * @param program a script for node
 */
export async function fillFolder(program: string, folder: string): Promise<Filling> {
  await writeFile(join(folder, 'msvc.yaml'), CONFIGURATION)
  const env = { PATH: process.env.PATH, NO_COLOR: '1' }
  const msvc = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [program, ...args, '--data', 'data'], { cwd: folder, env })
  const up = spawn(process.execPath, [program, 'up', '--json', '--data', 'data'], {
    ...{ cwd: folder, env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(up, 'exit')
  try {
    const [line] = await Promise.race([once(createInterface(up.stdout), 'line'), ended])
    const { roles }: { roles: { role: string; url: string }[] } = JSON.parse(String(line))
    const urlOf = (role: string) => roles.find((one) => one.role === role)?.url ?? ''
    const filling = await fill(urlOf, msvc)
    await msvc('backup', 'backup.tar.gz')
    return filling
  } finally {
    up.kill('SIGTERM')
    await ended
    // of processes that are no more
    for (const name of ['control.sock', 'known-instances.json']) await rm(join(folder, 'data', name), { force: true })
  }
}

async function fill(urlOf: (role: string) => string, msvc: (...args: string[]) => Promise<unknown>): Promise<Filling> {
  for (const price of ['100', '200']) await msvc('config', 'set', 'order-service', 'prices', `{"Laptop": ${price}}`)
  const users = ['ann', 'bob']
  for (const username of users) await ask(`${urlOf('user')}/api/users`, { username, email: `${username}@example.com` })
  const trace = `${'a'.repeat(31)}1`
  const traceparent = `00-${trace}-00000000000000a1-01`
  const orders = `${urlOf('order')}/api/orders`
  for (const product of ['Laptop', 'Pen', 'Lamp'])
    await ask(orders, { user_id: 1, product_name: product, quantity: 1 }, { traceparent })
  const listed = async () => (await ask(orders)) as { id: number; status: string }[]
  await until(async () => (await listed()).every(({ status }) => status === 'paid'))
  const entry = 'written for later versions to find'
  const now = new Date().toISOString()
  await ask(`${urlOf('log-server')}/logs`, {
    timestamp: now,
    level: 'ERROR',
    service: 'shop',
    instance: 'shop-1',
    message: entry,
  })
  await until(async () => (await fetch(`${urlOf('log-server')}/traces/${trace}`)).ok)
  return {
    users,
    orders: await listed().then((all) => all.map(({ id, status }) => ({ id, status }))),
    prices: [{ Laptop: 100 }, { Laptop: 200 }],
    trace,
    entry,
    ...(await publish(urlOf('broker'))),
  }
}

async function publish(broker: string): Promise<Pick<Filling, 'unread' | 'dead' | 'delayed'>> {
  const subscribe = async (topic: string) => {
    const made = await ask(`${broker}/broker/subscriptions`, { topic, group: 'till', max_deliver: 1 })
    return (made as { id: string }).id
  }
  const send = async (topic: string, key: string, more: Readonly<Record<string, string>> = {}) => {
    await ask(`${broker}/broker/publish/${topic}`, { key }, { 'idempotency-key': key, ...more })
    return key
  }
  await subscribe('shop.opened')
  await subscribe('shop.later')
  const broken = await subscribe('shop.broken')
  const unread = [await send('shop.opened', 'unread-1'), await send('shop.opened', 'unread-2')]
  const dead = await send('shop.broken', 'dead-1')
  const pulled = await ask(`${broker}/broker/subscriptions/${broken}/pull?max=1&wait=5`, {})
  const { messages } = pulled as { messages: { ack: string }[] }
  await ask(`${broker}/broker/subscriptions/${broken}/nack`, { acks: messages.map(({ ack }) => ack), reason: 'broken' })
  const later = { topic: 'shop.later', payload: {}, id: 'delayed-1', delay: 2_592_000 }
  await ask(`${broker}/broker/publish`, later)
  return { unread, dead, delayed: later.id }
}

/** Posts what it is given, or else gets; the answer's JSON. Rejects for what is no success. */
async function ask(url: string, body?: object, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const json = { 'content-type': 'application/json', ...headers }
  const answer = await fetch(url, body ? { method: 'POST', body: JSON.stringify(body), headers: json } : {})
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await holds()); await delay(50))
    if (Date.now() > end) throw new Error('something was not there in time')
}
