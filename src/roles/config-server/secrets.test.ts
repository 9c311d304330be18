import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type Asker, LOCAL, NOBODY } from '../../kit/auth/asker.ts'
import { runInScope } from '../../kit/telemetry/scope.ts'
import { closeAll, DEV, run, SCOPE, verify } from './testing/running-routes.ts'

afterEach(closeAll)

describe('secrets', () => {
  it('are encrypted on disk, and shown only to a token with the scope or to their own service', async () => {
    const { put, json, folder } = await run()
    await put(`${DEV}/password`, { value: 'correct-horse-battery', secret: true })
    await put(`${DEV}/plain`, 1)
    for (const file of await readdir(folder)) {
      expect((await readFile(join(folder, file))).includes('correct-horse-battery')).toBe(false)
    }
    const hidden = { plain: 1 }
    const open = { password: 'correct-horse-battery', plain: 1 }
    const as = (token: string) => json(DEV, { authorization: `Bearer ${token}` })
    expect(await json(DEV)).toEqual(hidden)
    expect(await json(DEV, { 'x-user-id': 'ann', 'x-user-scopes': 'config:secrets' })).toEqual(hidden)
    expect(await as('ann|config:read')).toEqual(hidden)
    expect(await as('user-service|')).toEqual(hidden)
    expect(await as('order-service|!')).toEqual(hidden)
    expect(await as('user-service|!')).toEqual(open)
    expect(await as('ann|config:read,config:secrets')).toEqual(open)
    expect(await json(DEV, { authorization: 'Bearer bad' })).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(await json(`${DEV}/password`)).toEqual({ value: '••••', secret: true, from: 'user-service/development' })
    expect(await json(`${DEV}?describe=true`)).toMatchObject({ values: { password: { value: '••••', secret: true } } })
    expect(await json(`${DEV}/history`)).toMatchObject({ versions: [{ keys: ['plain'] }, { keys: ['password'] }] })
  })

  it('are kept from who asks through the gateway, whose own they may be', async () => {
    const { put, json } = await run({ mode: 'token' })
    const as =
      (asker: Asker) =>
      <T>(work: () => T) =>
        runInScope({ ...SCOPE, asker }, work)
    const gatewayDev = '/config/api-gateway/development'
    await as(await verify('ann|config:write'))(() => put(`${gatewayDev}/key`, { value: 's', secret: true }))
    const ask = () => json(gatewayDev, { authorization: 'Bearer api-gateway|config:secrets!' })
    expect(await as(NOBODY)(ask)).toEqual({})
    expect(await as(await verify('ann|config:read'))(ask)).toEqual({})
    expect(await as(await verify('api-gateway|!'))(ask)).toEqual({ key: 's' })
  })

  it.each([
    ['api_token', 'hunter2'],
    ['store', 'postgres://ann:hunter2@db/shop'],
    ['smtp', { host: 'mail', password: 'hunter2' }],
  ])('are values that show it too, by name or by shape: %s', async (key, value) => {
    const { put, get, json } = await run({ mode: 'token' })
    const as = async (token: string) => {
      const asker = await verify(token)
      return runInScope({ ...SCOPE, asker }, () => json(DEV, { authorization: `Bearer ${token}` }))
    }
    await put(DEV, { [key]: value, limit: 1 })
    expect(await as('ann|config:read')).toEqual({ limit: 1 })
    expect(await (await get(`${DEV}?describe=true`)).text()).not.toContain('hunter2')
    expect(await as('ann|config:read,config:secrets')).toEqual({ [key]: value, limit: 1 })
    expect(await as('user-service|config:read!')).toEqual({ [key]: value, limit: 1 })
    expect(await runInScope({ ...SCOPE, asker: LOCAL }, () => json(DEV))).toEqual({ [key]: value, limit: 1 })
    expect(await (await put(`${DEV}/${key}`, value)).json()).toMatchObject({ version: 1 })
    await put(`${DEV}/${key}`, { value, secret: true })
    expect(await runInScope({ ...SCOPE, asker: LOCAL }, () => json(DEV))).toEqual({ limit: 1 })
    await put(`${DEV}/${key}`, { value, secret: false })
    expect(await as('ann|config:read')).toEqual({ [key]: value, limit: 1 })
  })

  it('stay secret until told otherwise, survive a document that does not name them, and roll back', async () => {
    const { put, post, json } = await run()
    const owner = { authorization: 'Bearer user-service|!' }
    await put(DEV, { password: { value: 'one', secret: true }, plain: 1 })
    await put(`${DEV}/password`, 'two')
    await put(DEV, { plain: 2 })
    expect(await json(DEV)).toEqual({ plain: 2 })
    expect(await json(DEV, owner)).toEqual({ password: 'two', plain: 2 })
    await post(`${DEV}/rollback`, { version: 1 })
    expect(await json(DEV, owner)).toEqual({ password: 'one', plain: 1 })
    await put(`${DEV}/password`, { value: 'three', secret: false })
    expect(await json(DEV)).toEqual({ password: 'three', plain: 1 })
  })
})
