import * as z from 'zod'
import { isRecord } from '../record.ts'
import type { Configurable } from './configurable.ts'
import { OwnService } from './own-service.ts'
import { Listen, Platform } from './schema.ts'

/** A JSON Schema, or a part of one. */
export type FileSchema = z.core.JSONSchema.BaseSchema

/** The dialect it is written in. */
const DIALECT = 'https://json-schema.org/draft/2020-12/schema'

/**
 * The JSON Schema (draft 2020-12) of the whole file, for editors: the platform's part, a section for each role, and `services` with addresses and users' own
 * services. What spans several values (two services on one port) it can't say; `loadConfiguration` does.
 * @param roles every role that has a section
 */
export function fileSchema(roles: readonly Pick<Configurable, 'name' | 'port' | 'config'>[]): FileSchema {
  const { services, ...platform } = propertiesOf(schemaOf(Platform))
  const address = isRecord(services) ? services.additionalProperties : {}
  return {
    $schema: DIALECT,
    title: 'msvc.yaml',
    type: 'object',
    additionalProperties: false,
    properties: {
      ...platform,
      services: {
        type: 'object',
        description: "Addresses of services that run elsewhere, and services of one's own that msvc up runs.",
        additionalProperties: {
          anyOf: [
            { ...(isRecord(address) ? address : {}), description: 'Where it runs, such as http://127.0.0.1:8001.' },
            { ...schemaOf(OwnService), description: "A service of one's own, run by msvc up." },
          ],
        },
      },
      ...Object.fromEntries(roles.map((role) => [role.name, sectionOf(role)])),
    },
  }
}

/** A role's section; one without a line in it is as good as none. */
function sectionOf({ port, config }: Pick<Configurable, 'port' | 'config'>): FileSchema {
  const own = schemaOf(config instanceof z.ZodObject ? config.strict() : config)
  const { host, port: listens, advertise } = propertiesOf(schemaOf(Listen))
  const listen = { host: withDefault(host, '127.0.0.1'), port: withDefault(listens, port), advertise }
  return { ...own, type: ['object', 'null'], properties: { ...listen, ...propertiesOf(own) } } as FileSchema
}

function withDefault(schema: unknown, value: string | number): object {
  return { ...(isRecord(schema) ? schema : {}), default: value }
}

function propertiesOf({ properties }: FileSchema): NonNullable<FileSchema['properties']> {
  return properties ?? {}
}

/** What a person may write, in words where the schema has some. */
function schemaOf(schema: z.ZodType): FileSchema {
  const { $schema: _, ...form } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    unrepresentable: 'any',
    override({ jsonSchema }) {
      const { expected, description } = jsonSchema
      // what the kit notes of a value is no word of JSON Schema
      delete jsonSchema.expected
      delete jsonSchema.secret
      if (expected !== undefined && description === undefined) jsonSchema.description = String(expected)
    },
  })
  return form
}
