import { describe, expect, it } from 'vitest'
import { deploymentOf } from '../testing/deployment-of.ts'
import { writeDocker } from './docker.ts'
import { serviceDockerfiles } from './service-dockerfile.ts'

/** https://docs.docker.com/reference/dockerfile/ */
const INSTRUCTION =
  /^(?:ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR) \S/

/** What is wrong with a Dockerfile, by rules of hadolint (DL…) and dockle (CIS-DI-…). */
function faultsOf(text: string): readonly string[] {
  const isWindows = text.startsWith('# escape=`\n')
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(isWindows ? '`\n' : '\\\n', ' ')
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
    ...((isWindows ? /^USER ContainerUser$/ : /^USER [1-9]\d*:[1-9]\d*$/).test(users.at(-1) ?? '')
      ? []
      : ['DL3002, CIS-DI-0001']),
    ...(of('HEALTHCHECK').length === 1 && / CMD \[".*"\]$/.test(of('HEALTHCHECK')[0] ?? '')
      ? []
      : ['DL3012, DL3025, CIS-DI-0006']),
    ...lines.filter((line) => !INSTRUCTION.test(line)).map((line) => `DL1000 ${line}`),
    ...of('COPY')
      .flatMap((line) => /--from=(\S+)/.exec(line)?.[1] ?? [])
      .filter((from) => !stages.includes(from) && !/:[^:]*[\w-]+$/.test(from))
      .map((from) => `DL3022 ${from}`),
    ...(of('ENTRYPOINT').length === 1 && /^ENTRYPOINT \[/.test(of('ENTRYPOINT')[0] ?? '') ? [] : ['DL3025, DL4004']),
    ...(of('CMD').every((line) => /^CMD \[".*"\]$/.test(line)) && of('CMD').length === 1 ? [] : ['DL3025, DL4003']),
    ...of('ENV')
      .filter((line) => /password|secret|token|key=/i.test(line))
      .map(() => 'CIS-DI-0010'),
    ...of('WORKDIR')
      .filter((line) => !(isWindows ? /^WORKDIR [A-Z]:\// : /^WORKDIR \//).test(line))
      .map(() => 'DL3000'),
    ...of('RUN')
      .filter((line) => line.includes('apt-get install'))
      .filter((line) => !/-y --no-install-recommends .*rm -rf \/var\/lib\/apt\/lists/.test(line))
      .map(() => 'DL3009, DL3014, DL3015'),
    ...of('RUN')
      .filter((line) => /\bsudo\b|apt-get upgrade|\bcd /.test(line))
      .map(() => 'DL3003, DL3004, DL3005'),
    ...of('RUN')
      .filter((line) => /pip install(?! --no-cache)/.test(line))
      .map(() => 'DL3042'),
    ...of('RUN')
      .filter((line) => /pip install --no-cache-dir (?!-r|\.)(?!\S+==)/.test(line))
      .map((line) => `DL3013 ${line}`),
  ]
}

const FILE = `services:
  catalog: { run: python3 catalog.py, dir: ./catalog }
  front: { run: [node, front.mjs], dir: ./my front }
  stock: { run: ./stock, build: go build -o stock ., dir: ./stock }
  dispatch: { run: bash dispatch.sh }
  till: { run: ./target/release/till, build: cargo build --release, dir: ./till }
  web: { run: npm start, build: npm run build, dir: ./web }
  ask: { run: uv run uvicorn ask:app, dir: ./ask }
  mail: { run: poetry run celery, dir: ./mail, ready: none }
  shop: { run: php -S $HOST:$PORT, dir: ./shop }
  stay: { run: java -jar target/stay.jar, build: mvn package, dir: ./stay }
`
const files = {
  'catalog/requirements.txt': 'flask\n',
  'my front/package.json': '{}',
  'stock/go.mod': 'module stock\n',
  'till/Cargo.toml': '',
  'web/package.json': '{"scripts":{"start":"node ."}}',
  'web/pnpm-lock.yaml': '',
  'ask/uv.lock': '',
  'ask/pyproject.toml': '',
  'mail/poetry.lock': '',
  'shop/composer.json': '{}',
  'stay/pom.xml': '',
}
const dockerfile = async (name: string, options: Parameters<typeof deploymentOf>[0] = { file: FILE, files }) => {
  const written = serviceDockerfiles(await deploymentOf(options))
  return written.find(({ path }) => path === name)?.text ?? ''
}

describe('Dockerfiles', () => {
  it('keep the rules of hadolint and dockle', async () => {
    const written = writeDocker(await deploymentOf({ file: FILE, files })).files
    const dockerfiles = written.filter(({ path }) => /(?:^|\.)Dockerfile(?:\.windows)?$/.test(path))
    const services = ['catalog', 'front', 'stock', 'dispatch', 'till', 'web', 'ask', 'mail', 'shop', 'stay']
    expect(dockerfiles.map(({ path }) => path)).toEqual([
      ...['Dockerfile', 'Dockerfile.windows'],
      ...services.map((name) => `${name}.Dockerfile`),
    ])
    for (const { path, text } of dockerfiles) {
      expect(faultsOf(text), path).toEqual([])
      expect(faultsOf(text.replace(/^USER .*$/m, '')), path).toEqual(['DL3002, CIS-DI-0001'])
      expect(faultsOf(text.replace(/^HEALTHCHECK .*$/m, '')), path).toEqual(['DL3012, DL3025, CIS-DI-0006'])
      expect(faultsOf(text.replace(/^(FROM (?!msvc:)[^:]*):\S*/m, '$1')), path).not.toEqual([])
    }
  })

  it('have msvc beside the program, and its file mounted', async () => {
    const text = await dockerfile('front.Dockerfile')
    expect(text).toContain('FROM node:')
    expect(text).toContain('WORKDIR /app/my front\n')
    expect(text).toContain('COPY ["my front/","./"]')
    expect(text).toContain('COPY --from=msvc /usr/local/bin/msvc /usr/local/bin/msvc')
    expect(text).not.toMatch(/^COPY .*msvc\.yaml/m)
    expect(text).toContain('CMD ["up", "--only", "front", "--in-process"]')
    expect(text).toMatch(/^# {3}docker build -f deploy\/compose\/front\.Dockerfile -t shop-front:\S+ \.$/m)
  })

  it('are built from the folder that their command is typed in', async () => {
    const deployment = await deploymentOf({ file: FILE, files, image: 'localhost:5000/msvc:7' })
    expect(writeDocker(deployment).next).toContain(
      'docker build -f front.Dockerfile -t localhost:5000/shop-front:7 ../..',
    )
  })

  it('leave the tools behind that only built a program, and bring the certificates', async () => {
    expect(await dockerfile('stock.Dockerfile')).toMatch(
      /FROM golang:\S+ AS build\n[\s\S]*RUN go build -o stock \.\n[\s\S]*FROM debian:bookworm-slim\n[\s\S]*ca-certificates[\s\S]*COPY --from=build \/app\/stock\/ \.\/\n/,
    )
    expect(await dockerfile('till.Dockerfile')).toMatch(/cargo build --release\nRUN .*-name deps .*\n\nFROM debian:/)
    expect(await dockerfile('web.Dockerfile')).toMatch(
      /pnpm run build|RUN npm run build\nRUN CI=true pnpm prune --prod .*\n\nFROM node:\S+\n/,
    )
  })

  it.each([
    ['one line', 'make && make install', 'RUN make && make install'],
    [
      'several lines, with words of a Dockerfile',
      'make\n\nUSER root # a',
      String.raw`RUN ["/bin/sh","-c","make\n\nUSER root # a"]`,
    ],
    ['a comment', '# a\nmake', String.raw`RUN ["/bin/sh","-c","# a\nmake"]`],
    ['a backslash at its end', 'make \\', String.raw`RUN ["/bin/sh","-c","make \\"]`],
    ['what looks like words', '[ -f a ] || make', 'RUN ["/bin/sh","-c","[ -f a ] || make"]'],
    ['words', ['make', '$HOME'], 'RUN ["make","$HOME"]'],
  ])('build by %s, as msvc does', async (_, build, line) => {
    const file = `services: { shop: { run: ./shop, build: ${JSON.stringify(build)} } }`
    expect((await dockerfile('shop.Dockerfile', { file })).split('\n')).toContain(line)
  })

  it.each([
    ['a$b', String.raw`WORKDIR /app/a\$b`, String.raw`COPY a\$b/ ./`],
    [`a"b's`, String.raw`WORKDIR /app/a\"b\'s`, String.raw`COPY a\"b\'s/ ./`],
    ['--from=a', 'WORKDIR /app/--from=a', 'COPY ./--from=a/ ./'],
    ['[a]*', 'WORKDIR /app/[a]*', 'COPY [[]a][*]/ ./'],
    ['a $b', String.raw`WORKDIR /app/a \$b`, String.raw`COPY ["a \\$b/","./"]`],
  ])('take a folder called %s for what it is', async (dir, ...wanted) => {
    const file = `services: { shop: { run: ./shop, dir: ${JSON.stringify(dir)} } }`
    expect((await dockerfile('shop.Dockerfile', { file })).split('\n')).toEqual(expect.arrayContaining(wanted))
  })
})

describe('what is no part of an image', () => {
  it('are data, keys and passwords, wherever the file has them, and what is shipped', async () => {
    const file = `data: state
auth: { key_file: keys/signing.json, token_file: "tok*n" }
services: { shop: { run: node shop.js } }
`
    const text = await dockerfile('shop.Dockerfile.dockerignore', { file })
    const lines = text.split('\n')
    expect(lines).toEqual(expect.arrayContaining(['**/.git', '**/.env*', '**/secrets', '**/node_modules']))
    expect(lines).toEqual(
      expect.arrayContaining(['msvc.yaml', 'state', 'keys/signing.json', String.raw`tok\*n`, 'deploy', '*.tar']),
    )
  })

  it('is not what lies elsewhere', async () => {
    const text = await dockerfile('shop.Dockerfile.dockerignore', {
      file: 'data: /var/lib/shop\nservices: { shop: { run: node a } }',
    })
    expect(text).not.toContain('/var/lib')
    expect(text).not.toContain('..')
  })
})
