import { describe, expect, it } from 'vitest'
import { type Asker, LOCAL, NOBODY } from './asker.ts'
import { viewOf } from './ownership.ts'

const as = (is: 'user' | 'service', subject: string, ...scopes: string[]): Asker => ({
  is,
  subject,
  scopes: new Set(scopes),
})

describe('viewOf', () => {
  it.each<[string, Asker | undefined, object]>([
    ['a local caller', LOCAL, { sees: 'all' }],
    ['nobody', NOBODY, { sees: 'nothing' }],
    ['an unknown asker', undefined, { sees: 'nothing' }],
    ['a person', as('user', 'alice', 'orders:read'), { sees: 'own', owner: 'alice' }],
    ['a person called like a kind', as('user', 'nobody'), { sees: 'own', owner: 'nobody' }],
    ['a person called like the gateway', as('user', 'api-gateway'), { sees: 'own', owner: 'api-gateway' }],
    ['an admin', as('user', 'root', 'admin'), { sees: 'all' }],
    ['a service with the scope', as('service', 'shop-service', 'orders:read'), { sees: 'all' }],
    ['a service without it', as('service', 'shop-service', 'users:read', 'logs:write'), { sees: 'nothing' }],
  ])('lets %s see no more than he may', (_, asker, view) => {
    expect(viewOf(asker, 'orders')).toEqual(view)
  })
})
