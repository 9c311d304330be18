import { Hono } from 'hono'
import { generateSpecs } from 'hono-openapi'
import type { AppEnv } from '../role.ts'

/** What the document is about. */
export interface OpenApiOptions {
  readonly title: string
  readonly version: string
  readonly description: string
  /** The role's routes, whose `route(…)` specs are written out. */
  readonly app: Hono<AppEnv>
}

/** `GET /openapi.json`: what the role's routes take and give, made from the schemas that check them, when first asked for. */
export function openapi({ title, version, description, app }: OpenApiOptions): Hono<AppEnv> {
  let document: ReturnType<typeof generateSpecs> | undefined
  return new Hono<AppEnv>().get('/openapi.json', async (c) => {
    document ??= generateSpecs(app, { documentation: { info: { title, version, description } } })
    return c.json(await document)
  })
}
