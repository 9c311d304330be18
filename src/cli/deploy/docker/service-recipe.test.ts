import { describe, expect, it } from 'vitest'
import { folderOf } from '../../init/testing/folder-of.ts'
import { wordsOf } from './recipe.ts'
import { recipeOf } from './service-recipe.ts'

type Files = Readonly<Record<string, string>>

const json = JSON.stringify
const recipe = (run: string | string[], files: Files = {}, build?: string) =>
  recipeOf({ run, build }, folderOf(files), '/app/shop')

describe('what a service runs on', () => {
  it.each<[string | string[], Files, string]>([
    ['node main.js', {}, 'node:'],
    ['PORT=1 exec python3 main.py', {}, 'python:'],
    [['.venv/bin/uvicorn', 'app:app'], {}, 'python:'],
    ['uv run uvicorn main:app', {}, 'python:'],
    ['go run .', { 'go.mod': '' }, 'golang:'],
    ['./mvnw spring-boot:run', { 'pom.xml': '' }, 'maven:'],
    ['gradle bootRun', { 'build.gradle': '' }, 'gradle:'],
    ['java -jar shop.jar', {}, 'eclipse-temurin:'],
    ['dotnet run', { 'a.csproj': '' }, 'mcr.microsoft.com/dotnet/sdk:'],
    ['php -S $HOST:$PORT', {}, 'php:'],
    ['bundle exec rails s', { Gemfile: '' }, 'ruby:'],
    ['./serve.sh', { 'package.json': '{}' }, 'node:'],
    ['./app', { 'Cargo.toml': '' }, 'debian:'],
    ['bash run.sh', {}, 'debian:'],
  ])('is told by %j with %j', (run, files, image) => {
    expect(recipe(run, files).image.startsWith(image)).toBe(true)
  })

  it.each<[string, Files, string, string, string]>([
    ['./stock', { 'go.mod': '' }, 'go build -o stock .', 'golang:', 'debian:'],
    ['go run .', { 'go.mod': '' }, 'go generate', 'golang:', 'golang:'],
    ['./target/release/app', { 'Cargo.toml': '' }, 'cargo build --release', 'rust:', 'debian:'],
    ['java -jar target/a.jar', { 'pom.xml': '' }, 'mvn package', 'maven:', 'eclipse-temurin:'],
    [
      'dotnet out/Shop.dll',
      { 'Shop.csproj': '' },
      'dotnet publish -o out',
      'mcr.microsoft.com/dotnet/sdk:',
      'mcr.microsoft.com/dotnet/aspnet:',
    ],
  ])('is smaller once it is built: %s', (run, files, build, image, runtime) => {
    const found = recipe(run, files, build)
    expect([found.image.startsWith(image), found.runtime.startsWith(runtime)]).toEqual([true, true])
  })

  it('is read behind variables and exec', () => {
    expect(wordsOf(' A=1 B= exec node  main.js ')).toEqual(['node', 'main.js'])
  })
})

/** The lines that install, in their order; `—` where the sources are copied, `build` where it is built. */
const steps = (run: string, files: Files, build?: string) => {
  const { tools, manifests, install, finish, trim } = recipe(run, files, build)
  return [...tools, manifests.join(' '), ...install, '—', ...finish, ...(build === undefined ? [] : ['build', ...trim])]
}
const manifest = (scripts: object = {}, devDependencies: object = {}) => json({ scripts, devDependencies })
const QUIET = '--no-audit --no-fund'

describe('what is installed for Node', () => {
  it.each<[string, string, Files, string | undefined, string[]]>([
    [
      'what it runs with alone',
      'node a.js',
      { 'package.json': manifest(), 'package-lock.json': '' },
      undefined,
      ['package.json package-lock.json', `RUN npm ci --omit=dev ${QUIET}`, '—'],
    ],
    [
      'all of it for a build, and what is left of it is taken away',
      'node dist/a.js',
      { 'package.json': manifest({}, { typescript: '7' }), 'package-lock.json': '' },
      'npx tsc',
      ['package.json package-lock.json', `RUN npm ci ${QUIET}`, '—', 'build', `RUN npm prune --omit=dev ${QUIET}`],
    ],
    [
      'all of it for a script that runs by what is for development',
      'npm run dev',
      { 'package.json': manifest({ dev: 'tsx watch a.ts' }, { tsx: '4' }), 'package-lock.json': '' },
      undefined,
      ['package.json package-lock.json', `RUN npm ci ${QUIET}`, '—'],
    ],
    [
      'and by a program that is called otherwise than its package',
      'npm start',
      { 'package.json': manifest({ start: 'nest start' }, { '@nestjs/cli': '11' }) },
      undefined,
      ['package.json', `RUN npm install ${QUIET}`, '—'],
    ],
    [
      'by pnpm',
      'pnpm start',
      { 'package.json': manifest({ start: 'node a' }), 'pnpm-lock.yaml': '' },
      undefined,
      [
        'ENV COREPACK_HOME=/usr/local/share/corepack',
        'RUN corepack enable',
        'package.json pnpm-lock.yaml',
        'RUN pnpm install --frozen-lockfile --prod',
        '—',
      ],
    ],
    [
      'by a yarn that has plugins',
      'node a.js',
      { 'package.json': manifest(), 'yarn.lock': '__metadata:\n' },
      undefined,
      ['ENV COREPACK_HOME=/usr/local/share/corepack', 'RUN corepack enable', '', '—', 'RUN yarn install --immutable'],
    ],
    [
      'by Bun',
      'bun run dev',
      { 'package.json': manifest({ dev: 'bun a.ts' }), 'bun.lock': '' },
      undefined,
      [
        'COPY --from=oven/bun:1-debian /usr/local/bin/bun /usr/local/bin/bunx /usr/local/bin/',
        'package.json bun.lock',
        'RUN bun install --frozen-lockfile --production',
        '—',
      ],
    ],
    [
      'once its sources are there, where they are wanted',
      'node a.js',
      { 'package.json': manifest({ postinstall: 'node generate.js' }), 'package-lock.json': '' },
      undefined,
      ['', '—', `RUN npm ci --omit=dev ${QUIET}`],
    ],
    ['nothing', 'node a.js', {}, undefined, ['', '—']],
  ])('is %s', (_, run, files, build, lines) => {
    expect(steps(run, files, build)).toEqual(lines)
  })
})

const UV = 'COPY --from=ghcr.io/astral-sh/uv:0.13 /uv /uvx /usr/local/bin/'

describe('what is installed for Python', () => {
  it.each<[string, string, Files, string[]]>([
    [
      'requirements.txt',
      '.venv/bin/uvicorn main:app',
      { 'requirements.txt': 'fastapi\n', '.venv/bin/uvicorn': '' },
      [
        'requirements.txt',
        'RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir -r requirements.txt',
        '—',
      ],
    ],
    [
      'one that names more, by a command in venv',
      'venv/bin/uvicorn main:app',
      { 'requirements.txt': '-r base.txt\n' },
      [
        '',
        '—',
        'RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir -r requirements.txt',
        'RUN ln -s .venv venv',
      ],
    ],
    [
      'uv.lock',
      'uv run uvicorn main:app',
      { 'pyproject.toml': '', 'uv.lock': '' },
      [
        UV,
        'pyproject.toml uv.lock',
        'RUN uv sync --no-dev --no-cache --locked --no-install-project',
        '—',
        'RUN uv sync --no-dev --no-cache --locked',
      ],
    ],
    [
      'poetry.lock, and the package itself',
      'poetry run flask --app shop_api:app run',
      { 'pyproject.toml': '[project]\nname = "shop-api"\n', 'poetry.lock': '', 'shop_api/__init__.py': '' },
      [
        'RUN pip install --no-cache-dir poetry==2.5.1',
        'ENV POETRY_VIRTUALENVS_IN_PROJECT=true POETRY_NO_INTERACTION=1',
        'pyproject.toml poetry.lock',
        'RUN poetry install --only main --no-root --no-cache',
        '—',
        'RUN poetry install --only-root --no-cache',
      ],
    ],
    [
      'Pipfile.lock',
      'pipenv run python main.py',
      { Pipfile: '', 'Pipfile.lock': '' },
      [
        'RUN pip install --no-cache-dir pipenv==2026.10.3',
        'ENV PIPENV_VENV_IN_PROJECT=1',
        'Pipfile Pipfile.lock',
        'RUN pipenv sync',
        '—',
      ],
    ],
    [
      'pyproject.toml alone',
      'python3 main.py',
      { 'pyproject.toml': '[project]\ndependencies = ["flask"]\n' },
      [UV, 'pyproject.toml', 'RUN uv venv .venv && uv pip install --no-cache -r pyproject.toml', '—'],
    ],
    [
      'setup.py',
      'python3 main.py',
      { 'setup.py': '' },
      ['', '—', 'RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir .'],
    ],
    ['nothing', 'python3 main.py', {}, ['', '—']],
  ])('is by %s', (_, run, files, lines) => {
    expect(steps(run, files)).toEqual(lines)
  })

  it('is found by any command, and listens to all', () => {
    const { environment } = recipe('uvicorn main:app', { 'requirements.txt': 'uvicorn' })
    expect(environment).toMatchObject({ PATH: '/app/shop/.venv/bin:$PATH', UVICORN_HOST: '0.0.0.0' })
    expect(recipe('uv run a', { 'uv.lock': '' }).environment).toMatchObject({ UV_NO_SYNC: '1' })
  })
})

describe('what is installed for other languages', () => {
  it.each<[string, string, Files, string | undefined, string[]]>([
    ['Go', 'go run .', { 'go.mod': '', 'go.sum': '' }, undefined, ['go.mod go.sum', 'RUN go mod download', '—']],
    ['Go with modules of its own', 'go run .', { 'go.mod': 'replace a => ./a' }, undefined, ['', '—']],
    ['Go with what it wants beside it', 'go run .', { 'go.mod': '', 'vendor/modules.txt': '' }, undefined, ['', '—']],
    [
      'Maven',
      'mvn exec:java',
      { 'pom.xml': '' },
      undefined,
      ['pom.xml', 'RUN mvn --batch-mode dependency:go-offline', '—'],
    ],
    ['Gradle', 'gradle run', { 'build.gradle': '' }, undefined, ['', '—']],
    [
      '.NET',
      'dotnet run',
      { 'A b.csproj': '' },
      undefined,
      ['A b.csproj', 'RUN ["dotnet", "restore", "A b.csproj"]', '—'],
    ],
    [
      'Ruby',
      'bundle exec rackup',
      { Gemfile: '', 'Gemfile.lock': '' },
      undefined,
      ['Gemfile Gemfile.lock', 'RUN bundle install', '—'],
    ],
    ['a gem', 'bundle exec rackup', { Gemfile: 'gemspec\n' }, undefined, ['', '—', 'RUN bundle install']],
  ])('is, for %s, what its files say', (_, run, files, build, lines) => {
    expect(steps(run, files, build)).toEqual(lines)
  })

  it('is, for PHP, by composer', () => {
    const lines = steps('php -S a', { 'composer.json': '', 'composer.lock': '' }).join('\n')
    expect(lines).toMatch(
      /^COPY --from=composer:2 .*[\s\S]*composer install --no-dev[\s\S]*—\nRUN composer dump-autoload/,
    )
  })

  it('leaves of what cargo builds the programs', () => {
    const lines = steps('./target/release/a', { 'Cargo.toml': '' }, 'cargo build --release')
    expect(lines.slice(0, 3)).toEqual(['', '—', 'RUN cargo fetch'])
    expect(lines.at(-1)).toMatch(/find target .* -name deps .* -exec rm -rf/)
  })

  it('has what compiles at each start write where it may', () => {
    expect(recipe('go run .', { 'go.mod': '' }).environment).toMatchObject({ GOTMPDIR: '/data' })
    expect(recipe('cargo run', { 'Cargo.toml': '' }).environment).toMatchObject({ CARGO_TARGET_DIR: '/data/target' })
  })
})
