/** A thing's place in an `AgeList`. It is in one list at most, and joining and leaving are one step that allocates nothing. */
export class Place<T> {
  /** Undefined where a list ends. */
  readonly of: T | undefined
  older: Place<T> = this
  younger: Place<T> = this

  constructor(of?: T) {
    this.of = of
  }

  /** Leaves its list, when it is in one. */
  leave(): void {
    this.older.younger = this.younger
    this.younger.older = this.older
    this.older = this
    this.younger = this
  }
}

/** Things in the order in which they joined. */
export class AgeList<T> {
  readonly #end = new Place<T>()

  /** Makes a thing the youngest, wherever it was before. */
  join(place: Place<T>): void {
    place.leave()
    place.older = this.#end.older
    place.younger = this.#end
    this.#end.older.younger = place
    this.#end.older = place
  }

  /** Undefined when there is none. */
  get oldest(): T | undefined {
    return this.#end.younger.of
  }
}
