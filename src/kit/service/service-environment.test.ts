import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressVariable } from '../discovery/address-variable.ts'
import { readServiceEnvironment } from './service-environment.ts'

const addresses = (variables: Record<string, string>) =>
  Object.fromEntries(
    readServiceEnvironment(variables)
      .overrides.filter(({ path }) => path[0] === 'services')
      .map(({ path, value }) => [path[1], value]),
  )

describe('the environment of a service', () => {
  it('says nothing where nothing is set', () => {
    expect(readServiceEnvironment({ HOST: '', PATH: '/bin', MSVC_SUPERVISED: '' })).toEqual({
      isKept: false,
      overrides: [],
      faults: [],
    })
  })

  it('has the addresses of services, and nothing that only looks like one', () => {
    expect(
      addresses({
        REGISTRY_URL: 'http://127.0.0.1:8500',
        USER_SERVICE_URL: 'http://127.0.0.1:41001',
        STRIPE_URL: 'https://api.stripe.com/v1',
        DATABASE_URL: 'postgres://db/shop',
        lower_url: 'http://127.0.0.1:1',
        _URL: 'http://127.0.0.1:1',
        HOMEPAGE_URL: 'www.example.com',
      }),
    ).toEqual({
      registry: 'http://127.0.0.1:8500',
      'user-service': 'http://127.0.0.1:41001',
      stripe: 'https://api.stripe.com/v1',
    })
  })

  it('finds each service by the variable that the platform sets for it', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
    const name = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('-'))
    fc.assert(
      fc.property(name, (service) => {
        expect(addresses({ [addressVariable(service)]: 'http://127.0.0.1:1' })).toEqual({
          [service]: 'http://127.0.0.1:1',
        })
      }),
    )
  })

  it('tells of all that is wrong with it', () => {
    const { faults } = readServiceEnvironment({
      USER_SERVICE_URL: 'http://bob:pw@127.0.0.1:1',
      INSTANCE_ID: 'a b',
      MSVC_TOKEN_FILE: '/run/token',
    })
    expect(faults).toEqual([
      'USER_SERVICE_URL: an address such as http://127.0.0.1:8500 is wanted; this is a URL with a user name in it',
      'INSTANCE_ID: expected letters, digits, dots, colons and dashes, at most 128 of them',
      expect.stringMatching(/^GATEWAY_URL: missing beside MSVC_TOKEN_FILE/),
    ])
  })

  it('is of token mode where there is a token', () => {
    const { token, overrides, isKept } = readServiceEnvironment({
      MSVC_TOKEN_FILE: '/run/token',
      GATEWAY_URL: 'http://127.0.0.1:8000',
      MSVC_SUPERVISED: '1',
    })
    expect(token).toEqual({ file: '/run/token', gatewayUrl: 'http://127.0.0.1:8000' })
    expect(overrides).toContainEqual({ path: ['auth', 'mode'], value: 'token', from: 'MSVC_TOKEN_FILE' })
    expect(isKept).toBe(true)
  })

  it('takes the words of other loggers for levels', () => {
    expect(readServiceEnvironment({ LOG_LEVEL: 'warn' }).overrides).toEqual([
      { path: ['log', 'level'], value: 'WARNING', from: 'LOG_LEVEL' },
    ])
  })
})
