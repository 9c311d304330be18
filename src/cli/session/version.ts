import manifest from '../../../package.json' with { type: 'json' }

/** The platform's version (package.json's). */
export const VERSION: string = manifest.version
