/** Words that some reader of YAML takes for something else than text (YAML 1.1, https://yaml.org/type/bool.html); `e3` is a number for one. */
const WORDS = /^(?:true|false|yes|no|on|off|y|n|null|-?e[+-]?\d+)$/i

/** Words and flags, paths and addresses: nothing that is a sign of YAML's, nor can be read as a number or a date. */
const PLAIN = /^-{0,2}[A-Za-z/](?:[\w./@=+-]|[: ](?=[\w/]))*$/

/** An amount as Kubernetes has it: 100m, 512Mi. */
const QUANTITY = /^\d+(?:m|Ki|Mi|Gi)$/

/**
 * Whether every reader of YAML takes some text for the same text without quotes, in a list on one line too: those of docker and kubectl are
 * stricter than YAML 1.2 is (`?` in a list on one line) and know more words (`yes`).
 */
export function isPlain(text: string): boolean {
  return (PLAIN.test(text) && !WORDS.test(text)) || QUANTITY.test(text)
}
