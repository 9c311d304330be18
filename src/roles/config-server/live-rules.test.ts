import { afterEach, describe, expect, it } from 'vitest'
import { closeAll, run } from './testing/running-routes.ts'

afterEach(closeAll)

const TILL = '/config/till/development'

describe('a set that nobody will take', () => {
  it.each([
    ['limit', 'abc', 'till limit: expected a number from 0 to 1000, got "abc"'],
    ['limit', 1_001, 'till limit: expected a number from 0 to 1000, got 1001'],
    ['limit', null, 'till limit: expected a number from 0 to 1000, got null'],
    ['prices', { Laptop: 'dear' }, 'till prices.Laptop: expected a number, got "dear"'],
    ['pricess', {}, 'till pricess: unknown key; did you mean prices? (till takes limit, prices, pin)'],
    ['prices', JSON.parse('{"__proto__":1}'), 'till prices.__proto__: a name that nothing can have; choose another'],
    ['pin', { value: 7, secret: true }, 'till pin: its value does not fit'],
  ])('is refused, whichever way it comes: %s %j', async (key, value, why) => {
    const { put, json } = await run()
    for (const answer of [await put(`${TILL}/${key}`, value), await put(TILL, { limit: 5, [key]: value })]) {
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        {
          code: 'INVALID_REQUEST',
          error: 'Nobody would take that',
          detail: expect.stringMatching(new RegExp(`${RegExp.escape(why)}[.?]* To set`)),
        },
      ])
    }
    expect(await json(TILL)).toEqual({})
  })

  it('is made all the same by force, checked at a rollback, and does not stand in the way of others', async () => {
    const { put, post, json } = await run()
    expect((await put(`${TILL}/limit?force=true`, 'abc')).status).toBe(200)
    expect((await put(`${TILL}/prices`, { Laptop: 1 })).status).toBe(200)
    expect((await put(TILL, { limit: 'abc', prices: {} })).status).toBe(200)
    expect((await put(`${TILL}/limit`, 7)).status).toBe(200)
    expect((await post(`${TILL}/rollback`, { version: 1 })).status).toBe(400)
    expect((await post(`${TILL}/rollback?force=true`, { version: 1 })).status).toBe(200)
    expect(await json(TILL)).toEqual({ limit: 'abc' })
  })

  it('is refused for all services where one that knows the key would not take it', async () => {
    const { put } = await run()
    expect(await (await put('/config/_default/_default/limit', 'abc')).json()).toMatchObject({
      detail: expect.stringContaining('till limit: expected a number'),
    })
    expect((await put('/config/_default/_default/limit', 5)).status).toBe(200)
    expect((await put('/config/_default/_default/colour', 'blue')).status).toBe(200)
    expect(await (await put('/config/_default/_default/limits', 5)).json()).toMatchObject({
      detail: expect.stringContaining('no key of the platform is called limits; did you mean limit'),
    })
    expect((await put('/config/_default/_default/limits?force=true', 5)).status).toBe(200)
  })

  it('is one for a service whose name is misspelt, or said by its role', async () => {
    const { put } = await run()
    for (const [service, meant] of [
      ['tille', 'till'],
      ['pay', 'pay-service'],
    ]) {
      const refused = await put(`/config/${service}/development/limit`, 1)
      expect(await refused.json()).toMatchObject({
        detail: expect.stringContaining(`no service of the platform is called ${service}; did you mean ${meant}`),
      })
      expect((await put(`/config/${service}/development/limit?force=true`, 1)).status).toBe(200)
    }
  })

  it('is one of any key of a service of the platform that takes none', async () => {
    const { put, json } = await run()
    const refused = await put('/config/idle/development/limit', 1)
    expect(await refused.json()).toMatchObject({
      detail: expect.stringMatching(/^idle takes no settings while it runs/),
    })
    expect(await json('/config/idle')).toEqual({ service: 'idle', takes: 'these', keys: [] })
  })

  it('is none for a service that declares nothing', async () => {
    const { put, json } = await run()
    expect((await put('/config/shop/development/limit', 'abc')).status).toBe(200)
    expect(await json('/config/shop')).toEqual({ service: 'shop', takes: 'anything', keys: [] })
  })
})

it('tells what a service takes, with range, default and a line of help', async () => {
  const { json } = await run()
  expect(await json('/config/till')).toMatchObject({
    takes: 'these',
    keys: [
      { key: 'limit', takes: 'a number from 0 to 1000', default: 10, help: 'most that is charged' },
      { key: 'prices', default: {} },
      { key: 'pin', takes: 'text', help: '' },
    ],
  })
})

describe('the values of a history', () => {
  it('are those that changed, to the letter, secrets for those alone who may see them', async () => {
    const { app, put, delete: remove, get } = await run()
    const path = '/config/shop/development'
    await app.request(`${path}/n`, { method: 'PUT', body: '1e400' })
    await put(`${path}/key`, { value: 'x', secret: true })
    await remove(`${path}/n`)
    const values = async (headers = {}) => {
      const { versions } = JSON.parse(await (await get(`${path}/history?values=true`, headers)).text())
      return versions.map((version: { values: unknown }) => version.values)
    }
    expect(await values()).toEqual([{}, { key: { value: '••••', secret: true } }, { n: expect.anything() }])
    expect((await values({ authorization: 'Bearer shop|!' }))[1]).toEqual({ key: { value: 'x', secret: true } })
    expect(await (await get(`${path}/history?values=true`)).text()).toContain(
      '"values":{"n":{"value":1e400,"secret":false}}',
    )
  })

  it('are left out of versions far back', async () => {
    const { put, json } = await run()
    const large = 'x'.repeat(1_000_000)
    for (let n = 0; n < 20; n++) await put('/config/shop/development/k', `${n}${large}`)
    expect(await json('/config/shop/development/history?values=true')).toMatchObject({
      versions: expect.arrayContaining([expect.not.objectContaining({ values: expect.anything() })]),
    })
  })
})
