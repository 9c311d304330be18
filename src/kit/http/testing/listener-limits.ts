import { Platform } from '../../config/schema.ts'

/** For tests: the limits of a listener that nobody configured. */
export const DEFAULT_LIMITS = Platform.parse({}).limits
