import * as z from 'zod'

/** The user role's name in the registry. */
export const USER_SERVICE = 'user-service'

/** A user as the API shows it (design §5). */
export const User = z.object({
  id: z.int(),
  username: z.string(),
  email: z.string(),
  created_at: z.string().describe('RFC 3339'),
})
export type User = z.infer<typeof User>

const Username = z
  .string()
  .trim()
  .normalize('NFC')
  .min(1, 'it is missing')
  .max(64)
  .regex(
    /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}._ -]*[\p{L}\p{M}\p{N}])?$/u,
    'letters, digits, and . _ - or spaces between them',
  )

/** 254: the longest address that mail can be sent to (RFC 5321 §4.5.3.1, erratum 1690). */
const Email = z.string().trim().max(254).pipe(z.email())

/** What a user is made from. */
export const NewUser = z.object({ username: Username, email: Email })
export type NewUser = z.infer<typeof NewUser>

/** What PATCH changes: what is named, and nothing else. */
export const UserChanges = z.object({ username: Username.optional(), email: Email.optional() })
export type UserChanges = z.infer<typeof UserChanges>
