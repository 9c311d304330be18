import * as z from 'zod'
import { defineRole } from '../../kit/role.ts'
import { USER_SERVICE } from './contract.ts'
import { userRoutes } from './routes.ts'
import { type UserTables, userMigrations } from './user-tables.ts'
import { createUsers } from './users.ts'

/** Users (seed 9.7.2). */
export const user = defineRole({
  name: 'user',
  service: USER_SERVICE,
  summary: 'users',
  port: 8001,
  config: z.strictObject({
    demo_users: z.boolean().default(true).describe('a fresh database begins with john_doe (1) and jane_smith (2)'),
  }),
  needs: ['registry'],
  async start({ config, clock, store }) {
    const migrations = userMigrations(config.demo_users, new Date(clock.now()).toISOString())
    return { app: userRoutes(createUsers(await store<UserTables>(migrations), clock)) }
  },
})
