/** The environment variable that has a service's static address. @example addressVariable('user-service') // 'USER_SERVICE_URL' */
export function addressVariable(service: string): string {
  return `${service.toUpperCase().replaceAll('-', '_')}_URL`
}
