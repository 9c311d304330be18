import type { AutostartPlan } from './autostart-plan.ts'

/**
 * A scheduled task that starts a platform with Windows, for `schtasks /create /xml` (https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema).
 * A task and no service: the service manager ends what doesn't answer it, and Node can't. It runs whether its user is logged in or not, without his password (S4U) and with
 * no more rights than he has, and is started again when it fails.
 */
export function windowsTask({ name, command, folder, data, user }: AutostartPlan): string {
  const [program = '', ...args] = command
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>msvc platform ${forXml(name)}; msvc service uninstall takes it away</Description>
    <Documentation>${forXml(data)}</Documentation>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger><Enabled>true</Enabled></BootTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${forXml(user)}</UserId>
      <LogonType>S4U</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${forXml(program)}</Command>
      <Arguments>${forXml(args.map(quotedForWindows).join(' '))}</Arguments>
      <WorkingDirectory>${forXml(folder)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`
}

/** What stands for a character in XML (https://www.w3.org/TR/xml/#sec-predefined-ent). */
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** The data folder of the platform that a task starts, by the task's XML; undefined where it is nobody's that was written here. */
export function dataOfTask(xml: string): string | undefined {
  const [, text] = /<Documentation>([^<]*)<\/Documentation>/.exec(xml) ?? []
  return text?.replace(/&\w+;/g, (entity) => CHARACTERS[entity] ?? entity)
}

const CHARACTERS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(ENTITIES).map(([character, entity]) => [entity, character]),
)

function forXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}

/** A word as a program's start-up code takes it apart again (https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments). */
export function quotedForWindows(word: string): string {
  if (/^[^\s"]+$/.test(word)) return word
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`
}
