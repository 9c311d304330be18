import { isRecord } from '../../../kit/record.ts'
import { type Ingredients, plain, type Recipe, wordsOf } from './recipe.ts'

const IMAGE = 'node:24-bookworm-slim'
const BUN = 'oven/bun:1-debian'
/** Where corepack keeps pnpm and yarn, for whoever runs them. */
const COREPACK = ['ENV COREPACK_HOME=/usr/local/share/corepack', 'RUN corepack enable']
/** Scripts that npm and the like run when they install, by sources that aren't there yet. */
const AT_INSTALL = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish']
/** Programs of packages that are called otherwise. */
const PROGRAMS: Readonly<Record<string, string>> = {
  tsc: 'typescript',
  nest: '@nestjs/cli',
  ng: '@angular/cli',
  babel: '@babel/cli',
  'react-scripts': 'react-scripts',
}

/** What installs packages, and how: all of them, those it runs with alone, and what takes the others away. */
interface Manager {
  readonly name: 'npm' | 'pnpm' | 'yarn' | 'bun'
  readonly lock: string | undefined
  readonly all: string
  readonly production?: string
  readonly prune?: string
}

const NPM_QUIET = '--no-audit --no-fund'
const NPM: Manager = {
  ...{ name: 'npm', lock: undefined, all: `npm install ${NPM_QUIET}` },
  ...{ production: `npm install --omit=dev ${NPM_QUIET}`, prune: `npm prune --omit=dev ${NPM_QUIET}` },
}
const npmBy = (lock: string): Manager => ({
  ...{ ...NPM, lock, all: `npm ci ${NPM_QUIET}`, production: `npm ci --omit=dev ${NPM_QUIET}` },
})
const MANAGERS: readonly (Manager & { readonly lock: string })[] = [
  {
    ...{ name: 'pnpm', lock: 'pnpm-lock.yaml', all: 'pnpm install --frozen-lockfile' },
    ...{ production: 'pnpm install --frozen-lockfile --prod', prune: 'CI=true pnpm prune --prod --ignore-scripts' },
  },
  {
    ...{ name: 'yarn', lock: 'yarn.lock', all: 'yarn install --frozen-lockfile' },
    ...{
      production: 'yarn install --frozen-lockfile --production',
      prune: 'yarn install --frozen-lockfile --production --ignore-scripts --prefer-offline',
    },
  },
  ...['bun.lock', 'bun.lockb'].map((lock) => ({
    ...({ name: 'bun', lock, all: 'bun install --frozen-lockfile' } as const),
    ...{
      production: 'bun install --frozen-lockfile --production',
      prune: 'rm -rf node_modules && bun install --frozen-lockfile --production --ignore-scripts',
    },
  })),
  ...['package-lock.json', 'npm-shrinkwrap.json'].map((lock) => ({ ...npmBy(lock), lock })),
]
/** Yarn from 2 on has no install without what only development needs. */
const BERRY: Manager = { name: 'yarn', lock: 'yarn.lock', all: 'yarn install --immutable' }

/** A service on Node.js, with the packages of its package.json; on Bun, where it is called. */
export function nodeRecipe(given: Ingredients): Recipe {
  const { words, folder, isBuilt } = given
  const [tool = ''] = words
  const isHere = folder.has('package.json')
  const manager = isHere ? managerOf(given) : undefined
  const manifest = manifestOf(folder.text('package.json'))
  const isProduction = runsOnProduction(words, manifest)
  const install = manager && `RUN ${(isProduction && !isBuilt && manager.production) || manager.all}`
  // what runs while it installs, and yarn's own plugins, want more than the manifests
  const isEarly = manager !== BERRY && !AT_INSTALL.some((name) => name in manifest.scripts)
  const isByCorepack = [manager?.name, tool].some((name) => name === 'pnpm' || name === 'yarn')
  const isByBun = [manager?.name, tool.replace(/^bunx$/, 'bun')].includes('bun')
  const lines = install === undefined ? [] : [install]
  return {
    ...plain(IMAGE),
    tools: [
      ...(isByCorepack ? COREPACK : []),
      ...(isByBun ? [`COPY --from=${BUN} /usr/local/bin/bun /usr/local/bin/bunx /usr/local/bin/`] : []),
    ],
    runsByTools: /^(?:pnpm|yarn|bunx?)$/.test(tool),
    manifests: isHere && isEarly ? ['package.json', ...(manager?.lock === undefined ? [] : [manager.lock])] : [],
    install: isEarly ? lines : [],
    finish: isEarly ? [] : lines,
    trim: isProduction && manager?.prune !== undefined ? [`RUN ${manager.prune}`] : [],
    settle: tool === 'pnpm' || tool === 'yarn' ? [`RUN ${tool} --version`] : [],
    environment: isProduction && isHere ? { NODE_ENV: 'production' } : {},
    ignored: ['**/node_modules'],
  }
}

function managerOf({ words, folder }: Ingredients): Manager {
  const [tool] = words
  const locked = MANAGERS.filter(({ lock }) => folder.has(lock))
  const found = locked.find(({ name }) => name === tool) ?? locked[0]
  if (found?.name === 'yarn' && folder.text('yarn.lock').includes('__metadata:')) return BERRY
  if (found) return found
  // none has written down yet what it has installed
  const { name, all } = MANAGERS.find((one) => one.name === tool) ?? NPM
  return name === 'npm' ? NPM : { name, lock: undefined, all: all.replace(' --frozen-lockfile', '') }
}

interface Manifest {
  readonly scripts: Readonly<Record<string, unknown>>
  readonly devDependencies: Readonly<Record<string, unknown>>
}

function manifestOf(text: string): Manifest {
  const parsed = parsedOf(text)
  const field = (name: string) => (isRecord(parsed) && isRecord(parsed[name]) ? parsed[name] : {})
  return { scripts: field('scripts'), devDependencies: field('devDependencies') }
}

function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a command does without what only development needs: no word of it, or of the script that it names, is one of these packages. */
function runsOnProduction(words: readonly string[], { scripts, devDependencies }: Manifest): boolean {
  const [tool = '', ...more] = words
  if (/^(?:npm|pnpm|yarn|bun)$/.test(tool)) {
    const name = more[0] === 'run' ? more[1] : more[0]
    const script = name === undefined ? undefined : scripts[name]
    if (typeof script === 'string') return runsOnProduction(wordsOf(script), { scripts: {}, devDependencies })
  }
  const names = words.flatMap((word) => [word, PROGRAMS[word] ?? word])
  return !/^(?:npx|bunx)$/.test(tool) && !names.some((name) => name in devDependencies)
}
