/**
 * The shortest of several rounds, in milliseconds: a busy machine is late now and then, what is slow is late each time. Behind a round below the bar
 * there is no other one.
 * @param round gives how long what is measured took; told its number, from 0 on
 * @param rounds how often it is measured, at most. Default 3
 */
export async function leastTime(bar: number, round: (n: number) => Promise<number>, rounds = 3): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let n = 0; n < rounds && least >= bar; n++) least = Math.min(least, await round(n))
  return least
}
