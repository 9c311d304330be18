import { describe, expect, it } from 'vitest'
import { detect } from './detect.ts'
import { folderOf } from './testing/folder-of.ts'

const json = JSON.stringify
const WEB = '<Project Sdk="Microsoft.NET.Sdk.Web"></Project>'

/** The commands that are found in a folder, by name. */
function found(files: Readonly<Record<string, string>>) {
  return detect(folderOf(files), [], ['user', 'broker']).services.map(({ name, run }) => [name, run])
}

describe('what is found in a folder', () => {
  it.each<[string, Readonly<Record<string, string>>, string[][]]>([
    [
      'a script for work',
      { 'package.json': json({ name: '@shop/web', scripts: { start: 'node a', dev: 'tsx watch a' } }) },
      [['web', 'npm run dev']],
    ],
    [
      'a script that starts',
      { 'package.json': json({ scripts: { start: 'node a', dev: 'tsc -w' } }) },
      [['shop', 'npm start']],
    ],
    [
      'pnpm',
      { 'package.json': json({ scripts: { dev: 'nest start' } }), 'pnpm-lock.yaml': '' },
      [['shop', 'pnpm run dev']],
    ],
    [
      'vite',
      { 'package.json': json({ scripts: { dev: 'vite' } }) },
      [['shop', 'npm run dev -- --port $PORT --host $HOST']],
    ],
    [
      'vite by yarn',
      { 'package.json': json({ scripts: { dev: 'vite' } }), 'yarn.lock': '' },
      [['shop', 'yarn run dev --port $PORT --host $HOST']],
    ],
    ['a main file of Node', { 'package.json': '{}', 'server.js': '' }, [['shop', 'node server.js']]],
    ['a library', { 'package.json': json({ main: 'lib/a.js', scripts: { dev: 'tsc -w' } }), 'lib/a.js': '' }, []],
    [
      'the root of workspaces',
      { 'package.json': json({ workspaces: ['packages/*'], scripts: { dev: 'turbo dev' } }) },
      [],
    ],
    ['a package.json that is none', { 'package.json': '{', 'index.js': '' }, []],
    [
      'one with odd fields',
      { 'package.json': json({ name: 7, scripts: [], main: {} }), 'index.js': '' },
      [['shop', 'node index.js']],
    ],
    [
      'FastAPI',
      { 'requirements.txt': 'fastapi', 'main.py': 'from fastapi import FastAPI\napi = FastAPI()\n' },
      [['shop', 'uvicorn main:api --host $HOST --port $PORT']],
    ],
    [
      'FastAPI in a package',
      { 'pyproject.toml': '', 'uv.lock': '', 'app/main.py': 'app: FastAPI = FastAPI(title="a")' },
      [['shop', 'uv run uvicorn app.main:app --host $HOST --port $PORT']],
    ],
    [
      'Flask in a .venv',
      { 'requirements.txt': 'flask', 'app.py': 'app = flask.Flask(__name__)', '.venv/bin/python': '' },
      [['shop', '.venv/bin/flask --app app:app run --host $HOST --port $PORT']],
    ],
    [
      'Django',
      { 'requirements.txt': 'django', 'manage.py': '' },
      [['shop', 'python3 manage.py runserver $HOST:$PORT']],
    ],
    ['a script of Python', { 'catalog.py': 'print()', 'test_catalog.py': '' }, [['shop', 'python3 catalog.py']]],
    [
      'Streamlit',
      { 'requirements.txt': 'streamlit==1', 'app.py': '' },
      [['shop', 'streamlit run app.py --server.address $HOST --server.port $PORT']],
    ],
    [
      'a program in Go',
      { 'go.mod': 'module github.com/a/shop-api/v2\n', 'main.go': 'package main\n' },
      [['shop-api', 'go run .']],
    ],
    [
      'several in Go',
      {
        'go.mod': 'module a\n',
        'cmd/api/main.go': 'package main\n',
        'cmd/worker/w.go': 'package main\n',
        'cmd/lib/l.go': 'package lib\n',
      },
      [
        ['api', 'go run ./cmd/api'],
        ['worker', 'go run ./cmd/worker'],
      ],
    ],
    [
      'a program in Rust',
      { 'Cargo.toml': '[package]\nversion = "1"\nname = "till"\n', 'src/main.rs': '' },
      [['till', 'cargo run']],
    ],
    ['a library in Rust', { 'Cargo.toml': '[package]\nname = "till"\n', 'src/lib.rs': '' }, []],
    [
      'Spring Boot by Maven',
      { 'pom.xml': 'spring-boot-starter-parent', mvnw: '' },
      [['shop', './mvnw spring-boot:run -Dspring-boot.run.arguments=--server.port=$PORT']],
    ],
    [
      'Spring Boot by Gradle',
      { 'build.gradle.kts': 'id("org.springframework.boot")\nimplementation("spring-boot")' },
      [['shop', 'gradle bootRun --args=--server.port=$PORT']],
    ],
    ['Quarkus', { 'pom.xml': 'io.quarkus' }, [['shop', 'mvn quarkus:dev -Dquarkus.http.port=$PORT']]],
    ['an application of Gradle', { 'build.gradle': "plugins { id 'application' }" }, [['shop', 'gradle run']]],
    [
      'Rails',
      { Gemfile: "gem 'rails', '~> 8'", 'package.json': '{}' },
      [['shop', 'bundle exec rails s -b $HOST -p $PORT']],
    ],
    ['Rack', { Gemfile: "gem 'sinatra'", 'config.ru': '' }, [['shop', 'bundle exec rackup -o $HOST -p $PORT']]],
    [
      'Laravel',
      { 'composer.json': '{}', artisan: '', 'public/index.php': '' },
      [['shop', 'php artisan serve --host=$HOST --port=$PORT']],
    ],
    ['PHP', { 'composer.json': '{}', 'public/index.php': '' }, [['shop', 'php -S $HOST:$PORT -t public']]],
    ['.NET', { 'Shop.Api.csproj': WEB }, [['shop-api', 'dotnet run --urls http://$HOST:$PORT']]],
    [
      'a worker of .NET',
      { 'W.csproj': 'Sdk="Microsoft.NET.Sdk.Worker"', 'Lib.csproj': '<Project/>' },
      [['w', 'dotnet run --project W.csproj']],
    ],
    [
      'a Procfile',
      {
        Procfile: '# a\nweb: gunicorn app:app -b :$PORT\nworker: celery -A app worker\nrelease: ./migrate\n',
        'requirements.txt': '',
      },
      [
        ['web', 'gunicorn app:app -b :$PORT'],
        ['worker', 'celery -A app worker'],
      ],
    ],
    ['nothing', { 'README.md': '' }, []],
  ])('%s', (_, files, commands) => {
    expect(found(files)).toEqual(commands)
  })

  it('is told of where it is more than one thing', () => {
    const { services, remarks } = detect(folderOf({ 'app.py': '', 'package.json': '{}', 'index.js': '' }), [], [])
    expect(services).toMatchObject([{ run: 'python3 app.py' }])
    expect(remarks).toEqual(['In . there is also what runs by: node index.js (package.json is there, and index.js).'])
  })

  it('is a worker where it has no port', () => {
    const { services } = detect(folderOf({ Procfile: 'web: a\nmail: b\napi: c -p ${PORT:-1}' }), [], [])
    expect(services.map(({ name, ready }) => [name, ready])).toEqual([
      ['web', undefined],
      ['mail', 'none'],
      ['api', undefined],
    ])
  })
})

describe('what is found in the folders of a monorepo', () => {
  it('is named after them, and nothing has a role’s name, or another’s', () => {
    const node = { 'package.json': json({ name: 'x', scripts: { start: 'node a' } }) }
    const inner = [
      folderOf(node, 'user'),
      folderOf(node, 'apps/Web_Shop', 'Web_Shop'),
      folderOf(node, 'services/web-shop', 'web-shop'),
      folderOf({ Procfile: 'web: a\nworker: b' }, 'till'),
      folderOf({}, 'docs'),
    ]
    expect(detect(folderOf({}), inner, ['user']).services.map(({ name, dir }) => [name, dir])).toEqual([
      ['user-app', './user'],
      ['web-shop', './apps/Web_Shop'],
      ['web-shop-app', './services/web-shop'],
      ['till', './till'],
      ['till-worker', './till'],
    ])
  })
})

const COMPOSE = `
services:
  shop-api:
    build: ./api
    depends_on: { user: { condition: service_started }, db: { condition: service_healthy } }
    environment: [ "DATABASE_URL=postgres://shop:hunter2@db/shop", LEVEL ]
  user: { build: { context: people }, command: [node, "a b.js"] }
  deep: { build: deploy/deep/er }
  db: { image: postgres:16 }
`

describe('a compose file', () => {
  const root = folderOf({
    'compose.yaml': COMPOSE,
    'people/Dockerfile': 'FROM x\nCMD ["node", "server.js"]',
    'deploy/deep/er/Dockerfile': 'FROM x',
  })
  const inner = [folderOf({ 'go.mod': 'module a\n', 'main.go': 'package main\n' }, 'api'), folderOf({}, 'people')]
  const { services, remarks } = detect(root, inner, ['user'])

  it('names what it builds, which runs as its folder says, else as the file does', () => {
    expect(services).toMatchObject([
      { name: 'shop-api', dir: './api', run: 'go run .', needs: ['user-app'] },
      { name: 'user-app', dir: './people', run: "node 'a b.js'", needs: [] },
    ])
  })

  it('tells of its images, of what is not known, and of variables without their values', () => {
    expect(remarks).toEqual([
      'compose.yaml has images too: db (postgres:16). They run on by: docker compose up -d db',
      'compose.yaml builds deep in deploy/deep/er: how it is started could not be told.',
    ])
    expect(services[0]?.notes).toContain(
      'compose.yaml gives it DATABASE_URL, LEVEL: what it needs of these goes into env.',
    )
    expect(json(services)).not.toContain('hunter2')
  })

  it.each(['', 'services: 7', 'services: { a: { build: 7 } }', ': [', 'a: &a [*a]'])('may be broken: %j', (text) => {
    expect(detect(folderOf({ 'compose.yaml': text }), [], []).services).toEqual([])
  })
})
