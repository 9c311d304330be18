/**
 * The variables by which a service is told who and where it is. They are the platform's alone to give: by some of them it finds a service's processes
 * again. docs/your-service.md says what each is for.
 */
export const GIVEN_VARIABLES = [
  'HOST',
  'PORT',
  'SERVICE_NAME',
  'INSTANCE_ID',
  'MSVC_ENVIRONMENT',
  'MSVC_TOKEN_FILE',
  'MSVC_SUPERVISED',
  'MSVC_RUN',
] as const

const GIVEN: ReadonlySet<string> = new Set(GIVEN_VARIABLES)

/** Whether a variable is the platform's to give. @example isGivenVariable('INSTANCE_ID') // true */
export function isGivenVariable(name: string): boolean {
  return GIVEN.has(name)
}
