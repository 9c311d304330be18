import { describe, expect, it } from 'vitest'
import { deploymentOf } from '../testing/deployment-of.ts'
import { writeDocker } from './docker.ts'
import { serviceDockerfiles } from './service-dockerfile.ts'
import { stackOf } from './service-stack.ts'

/** What is wrong with a Dockerfile, by rules of hadolint (DL…) and dockle (CIS-DI-…). */
function faultsOf(text: string): readonly string[] {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
  const of = (word: string) => lines.filter((line) => line.startsWith(`${word} `))
  const stages = of('FROM').flatMap((line) => / AS (\S+)/.exec(line)?.[1] ?? [])
  const bases = of('FROM').map((line) => line.split(' ')[1] ?? '')
  const users = of('USER')
  return [
    ...bases.filter((base) => !stages.includes(base) && !/:[^:]*[\w-]+$/.test(base)).map((base) => `DL3006 ${base}`),
    ...bases.filter((base) => base.endsWith(':latest')).map((base) => `DL3007 ${base}`),
    ...of('ADD').map(() => 'DL3020'),
    ...(/^USER [1-9]\d*:[1-9]\d*$/.test(users.at(-1) ?? '') ? [] : ['DL3002, CIS-DI-0001']),
    ...(of('HEALTHCHECK').length === 1 ? [] : ['CIS-DI-0006']),
    ...(of('ENTRYPOINT').length === 1 && /^ENTRYPOINT \[/.test(of('ENTRYPOINT')[0] ?? '') ? [] : ['DL3025, DL4004']),
    ...(of('CMD').every((line) => /^CMD \[".*"\]$/.test(line)) && of('CMD').length === 1 ? [] : ['DL3025, DL4003']),
    ...of('ENV')
      .filter((line) => /password|secret|token|key=/i.test(line))
      .map(() => 'CIS-DI-0010'),
    ...of('WORKDIR')
      .filter((line) => !line.startsWith('WORKDIR /'))
      .map(() => 'DL3000'),
    ...of('RUN')
      .filter((line) => line.includes('apt-get install'))
      .filter((line) => !/-y --no-install-recommends .*rm -rf \/var\/lib\/apt\/lists/.test(line))
      .map(() => 'DL3009, DL3014, DL3015'),
    ...of('RUN')
      .filter((line) => /\bsudo\b|apt-get upgrade|\bcd /.test(line))
      .map(() => 'DL3003, DL3004, DL3005'),
    ...of('RUN')
      .filter((line) => /pip install(?!.*--no-cache-dir)/.test(line))
      .map(() => 'DL3042'),
  ]
}

const FILE = `services:
  catalog: { run: python3 catalog.py, dir: ./catalog }
  front: { run: [node, front.mjs], dir: ./my front }
  stock: { run: ./stock, build: go build -o stock ., dir: ./stock }
  dispatch: { run: bash dispatch.sh }
`
const folders = ['catalog', 'my front', 'stock']

describe('Dockerfiles', () => {
  it('keep the rules of hadolint and dockle', async () => {
    const { files } = writeDocker(await deploymentOf({ file: FILE, folders }))
    const dockerfiles = files.filter(({ path }) => /(?:^|\.)Dockerfile$/.test(path))
    expect(dockerfiles.map(({ path }) => path)).toEqual([
      'Dockerfile',
      ...['catalog', 'front', 'stock', 'dispatch'].map((name) => `${name}.Dockerfile`),
    ])
    for (const { path, text } of dockerfiles) expect(faultsOf(text), path).toEqual([])
  })

  it('have msvc beside the program, in the folder of msvc.yaml', async () => {
    const files = serviceDockerfiles(await deploymentOf({ file: FILE, folders }))
    const text = files.find(({ path }) => path === 'front.Dockerfile')?.text ?? ''
    expect(text).toContain('FROM node:')
    expect(text).toContain('WORKDIR /app/my front\n')
    expect(text).toContain('COPY ["my front/","./"]')
    expect(text).toContain('COPY msvc.yaml ./msvc.yaml\nCOPY --from=msvc /usr/local/bin/msvc /usr/local/bin/msvc')
    expect(text).toContain('CMD ["up", "--only", "front", "--in-process"]')
    expect(files.find(({ path }) => path === 'front.Dockerfile.dockerignore')?.text).toContain('**/.msvc\n')
  })

  it('leave the tools behind that only built a program', async () => {
    const files = serviceDockerfiles(await deploymentOf({ file: FILE, folders }))
    const text = files.find(({ path }) => path === 'stock.Dockerfile')?.text ?? ''
    expect(text).toMatch(
      /FROM golang:\S+ AS build\n[\s\S]*RUN go build -o stock \.\n[\s\S]*FROM debian:bookworm-slim\n/,
    )
    expect(text).toContain('COPY --from=build /app/stock/ ./')
  })
})

describe('stackOf', () => {
  const folder = (...names: readonly string[]) => ({ has: (name: string) => names.includes(name) })
  it.each([
    ['node main.js', ['package.json', 'package-lock.json'], 'node', true],
    ['PORT=1 exec python3 main.py', [], 'python', true],
    [['.venv/bin/uvicorn', 'app:app'], ['requirements.txt'], 'python', true],
    ['go run .', ['go.mod'], 'go', true],
    ['./mvnw spring-boot:run', ['pom.xml'], 'java', true],
    ['./app', ['Cargo.toml'], 'rust', false],
    ['bash run.sh', [], 'other', false],
  ] as const)('%j with %j is %s', (run, names, language, isTool) => {
    const command = typeof run === 'string' ? run : [...run]
    expect(stackOf({ run: command, build: undefined }, folder(...names))).toMatchObject({ language, isTool })
  })
})
