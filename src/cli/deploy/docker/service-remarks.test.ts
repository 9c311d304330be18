import { expect, it } from 'vitest'
import { deploymentOf } from '../testing/deployment-of.ts'
import { remarksOn } from './service-remarks.ts'

it.each([
  ['python3 manage.py runserver 127.0.0.1:$PORT', [/listens on loopback/]],
  ['python3 manage.py runserver', [/listens on loopback/]],
  ['python3 manage.py runserver $HOST:$PORT', []],
  ['php -S localhost:$PORT', [/listens on loopback/]],
  ['bundle exec rackup -p $PORT', [/listens on loopback/]],
  ['bundle exec rackup -o $HOST -p $PORT', []],
  ['npm run dev -- --port $PORT --host 127.0.0.1', [/listens on loopback/]],
  ['go run .', [/compiles at each start/]],
  ['cargo run --release', [/compiles at each start/]],
  ['./mvnw spring-boot:run', [/compiles at each start/]],
  ['gradle bootRun --args=--server.port=$PORT', [/compiles at each start/]],
  ['dotnet run --urls http://127.0.0.1:$PORT', [/listens on loopback/, /compiles at each start/]],
  ['dotnet Shop.dll', []],
  ['npx vite --host $HOST', [/is for who works on it/]],
  ['node --watch main.js', [/is for who works on it/]],
  ['uvicorn main:app', []],
  ['node main.js', []],
])('says of %s what a container does not take', async (run, wanted) => {
  const { services } = await deploymentOf({ file: `services: { shop: { run: ${JSON.stringify(run)} } }` })
  const remarks = services.flatMap(remarksOn)
  expect(remarks).toHaveLength(wanted.length)
  for (const [index, pattern] of wanted.entries()) expect(remarks[index]).toMatch(pattern)
})

it('says nothing of a worker that talks to its own machine', async () => {
  const file = 'services: { shop: { run: celery -b redis://localhost, ready: none } }'
  expect((await deploymentOf({ file })).services.flatMap(remarksOn)).toEqual([])
})
