import { Hono } from 'hono'
import { generateSpecs } from 'hono-openapi'
import type { AppEnv } from '../http/app-env.ts'
import { BEARER, route } from '../http/route.ts'

/** What the document is about. */
export interface OpenApiOptions {
  readonly title: string
  readonly version: string
  readonly description: string
  /** The role's routes and the kit's, whose `route(…)` specs are written out. */
  readonly app: Hono<AppEnv>
}

/** `GET /openapi.json`: what the role's routes want, take and give, made from the schemas that check them, when first asked for. */
export function openapi({ title, version, description, app }: OpenApiOptions): Hono<AppEnv> {
  let document: ReturnType<typeof generateSpecs> | undefined
  const documentation = {
    info: { title, version, description },
    components: {
      securitySchemes: {
        [BEARER]: {
          type: 'http' as const,
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: `A token for ${title} with the scopes listed, where the platform runs with auth.mode: token`,
        },
      },
    },
  }
  const spec = route({ summary: 'This document', scope: 'docs:read' })
  return new Hono<AppEnv>().get('/openapi.json', spec, async (c) => {
    document ??= generateSpecs(app, { documentation, excludeStaticFile: false })
    return c.json(await document)
  })
}
