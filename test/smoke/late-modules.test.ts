import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { answerAtTerminal } from '../e2e/at-terminal.ts'
import { makeCertificates } from '../servers/certificates.ts'
import { type Copy, copyExecutable } from './executable.ts'

// what the program loads late is inside the executable as well

let copy: Copy
beforeAll(async () => {
  copy = await copyExecutable()
}, 120_000)
afterAll(() => copy?.remove())

const atTerminal = (answer: string, ...args: readonly string[]) =>
  answerAtTerminal([copy.program, ...args], { folder: copy.folder, question: '[q]uit: ', answer })

describe('at a terminal', () => {
  const path = () => join(copy.folder, 'deploy/compose/compose.yaml')
  const configuration = () => join(copy.folder, 'msvc.yaml')
  beforeEach(async () => {
    for (const made of [configuration(), join(copy.folder, 'deploy')]) rmSync(made, { recursive: true, force: true })
    await copy.run('deploy', 'compose')
    appendFileSync(path(), '# mine\n')
    writeFileSync(configuration(), 'drain_seconds: 7\n')
  })

  it.each([
    ['n\r', 0, /left as it is/, true],
    ['q\r', 1, /nothing was written/, true],
    // the terminal is closed
    ['\u0004', 2, /nobody answers/, true],
    ['y\r', 0, /written over/, false],
  ])('asks before it writes over what a person has changed: %j', async (answer, code, words, isKept) => {
    expect(await atTerminal(answer, 'deploy', 'compose')).toMatchObject({ code, said: expect.stringMatching(words) })
    expect(readFileSync(path(), 'utf8').includes('# mine')).toBe(isKept)
  })
})

it('asks for keys by TLS', async () => {
  const { ca, server: own } = await makeCertificates(copy.folder)
  const asked: (string | undefined)[] = []
  const server = createServer({ cert: readFileSync(own.cert), key: readFileSync(own.key) }, (request, answer) => {
    asked.push(request.url)
    answer.end('{"keys":[]}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  await copy.run('keys', 'new', '--out', 'signing.json')
  writeFileSync(join(copy.folder, 'keys.yaml'), 'auth: { mode: token, key_file: signing.json }\n')
  const token = await copy.run('token', '--service', 'registry', '--config', 'keys.yaml')
  writeFileSync(join(copy.folder, 'own.token'), token.out)
  const jwks = `https://127.0.0.1:${port}/jwks.json`
  writeFileSync(join(copy.folder, 'tls.yaml'), `auth: { mode: token, jwks: '${jwks}', token_file: own.token }\n`)
  const child = spawn(copy.program, ['serve', 'user', '--port', '0', '--config', 'tls.yaml', '--json'], {
    cwd: copy.folder,
    env: { NODE_EXTRA_CA_CERTS: ca, REGISTRY_URL: 'http://127.0.0.1:1' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = once(child, 'close')
  try {
    const [line] = await once(createInterface(child.stdout), 'line')
    // it asks once somebody wants to know whether it is ready
    const answer = await fetch(`${JSON.parse(line).url}/readyz`)
    const said = await answer.text()
    // which doesn't wait for the keys for long
    await expect.poll(() => asked, { message: said }).toEqual(['/jwks.json'])
  } finally {
    child.kill('SIGKILL')
    await ended
    server.closeAllConnections()
    server.close()
  }
})
