import { expect, it } from 'vitest'
import { processEnvironment, serviceEnvironment } from './environment.ts'

const surroundings = {
  service: 'catalog',
  environment: 'production',
  place: { host: '127.0.0.1', port: 7001 },
  data: '/srv/.msvc',
  urls: {
    'api-gateway': 'http://127.0.0.1:8000',
    'log-server': 'http://127.0.0.1:4318',
    'user-service': 'http://127.0.0.1:20001',
  },
  inherited: {},
  own: {},
}

it('tells a service where it listens, where everything is, and where OpenTelemetry sends to', () => {
  expect(serviceEnvironment(surroundings)).toMatchObject({
    HOST: '127.0.0.1',
    PORT: '7001',
    SERVICE_NAME: 'catalog',
    GATEWAY_URL: 'http://127.0.0.1:8000',
    API_GATEWAY_URL: 'http://127.0.0.1:8000',
    LOG_SERVER_URL: 'http://127.0.0.1:4318',
    USER_SERVICE_URL: 'http://127.0.0.1:20001',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_SERVICE_NAME: 'catalog',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=production',
    MSVC_SUPERVISED: '1',
    NODE_COMPILE_CACHE: '/srv/.msvc/services/node-compile-cache',
  })
})

it('lets it inherit what the platform has, but for its stores, passwords and own place', () => {
  const inherited = {
    PATH: '/bin',
    PYTHONUNBUFFERED: '',
    NODE_COMPILE_CACHE: '/tmp/mine',
    DATABASE_URL: 'postgres://msvc:secret@db/msvc',
    PGPASSWORD: 'secret',
    DATABASE_URL_FILE: '/run/secrets/db',
    MSVC_STORE: 'postgres://msvc:secret@db/msvc',
    MSVC_KEY_FILE: '/run/secrets/key',
    PORT: '8000',
    MSVC_TOKEN_FILE: '/tmp/mine.token',
    ABSENT: undefined,
  }
  const env = serviceEnvironment({ ...surroundings, place: undefined, inherited })
  expect(env).toMatchObject({ PATH: '/bin', PYTHONUNBUFFERED: '', NODE_COMPILE_CACHE: '/tmp/mine' })
  for (const name of ['PGPASSWORD', 'PORT', 'HOST', 'MSVC_TOKEN_FILE', 'ABSENT']) expect(env).not.toHaveProperty(name)
  for (const name of ['DATABASE_URL', 'DATABASE_URL_FILE', 'MSVC_STORE', 'MSVC_KEY_FILE'])
    expect(env).not.toHaveProperty(name)
})

it('lets the file have the last word, but for where it listens and who it is', () => {
  const own = { USER_SERVICE_URL: 'http://elsewhere', OTEL_SERVICE_NAME: 'other', PORT: '1', SERVICE_NAME: 'other' }
  expect(serviceEnvironment({ ...surroundings, own })).toMatchObject({
    USER_SERVICE_URL: 'http://elsewhere',
    OTEL_SERVICE_NAME: 'other',
    PORT: '7001',
    SERVICE_NAME: 'catalog',
  })
})

it('tells each process which one it is', () => {
  expect(processEnvironment({ OTEL_RESOURCE_ATTRIBUTES: 'a=b' }, 'catalog-1')).toEqual({
    INSTANCE_ID: 'catalog-1',
    OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=catalog-1,a=b',
  })
  expect(processEnvironment({}, 'catalog-1').OTEL_RESOURCE_ATTRIBUTES).toBe('service.instance.id=catalog-1')
})
